"""What call centres say: sentences for training and measuring, from templates, slots and a frequency dictionary.

Pure: randomness comes in as `random.Random`, sentences come out as spoken text (Chinese characters, with commas where a
speaker would pause; numbers already in words). It knows nothing of sound.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from processors.runtime.errors import UserError

HELD_OUT_EVERY = 12
"""Every twelfth template, by the checksum of its text, is kept for measuring."""

_DATA = resources.files(__package__) / "data"
_SLOT = re.compile(r"\{(\w+)\}")
_MARK = re.compile("[，、。？！；：,.?!;:]")
_NOT_SPOKEN = re.compile(r"[^一-鿿]")
_DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Template:
    """One line of a template file. `domain` is the name of the file."""

    domain: str
    text: str

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.text.encode()) % HELD_OUT_EVERY == 0


def load_templates() -> list[Template]:
    """All templates, in the order of their files. A repeated line counts once."""
    found: dict[str, Template] = {}
    for file in sorted((_DATA / "templates").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".txt"):
            for line in file.read_text("utf-8").splitlines():
                text = line.strip()
                if text and not text.startswith("#"):
                    found.setdefault(text, Template(file.name.removesuffix(".txt"), text))
    return list(found.values())


@cache
def characters() -> str:
    """Every character that the model can write, the most frequent first."""
    return (_DATA / "characters.txt").read_text("utf-8").strip()


@cache
def _slot_words() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_DATA / "slots.yaml").read_text("utf-8"))
    return loaded


def spoken(text: str) -> str:
    """The characters of a text as a transcript has them: no commas, no spaces."""
    return _NOT_SPOKEN.sub("", text)


# -- numbers as they are said ------------------------------------------------------------------------------------------


def say_number(value: int) -> str:
    """A whole number from 0 to 99,999,999 in words: 10250 is 一万零二百五十."""
    if value >= 10_000:
        high, low = divmod(value, 10_000)
        rest = "" if low == 0 else ("零" if low < 1000 else "") + _below_myriad(low, leading=False)
        return _below_myriad(high) + "万" + rest
    return _below_myriad(value)


def _below_myriad(value: int, leading: bool = True) -> str:
    if value == 0:
        return "零"
    words, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // unit % 10
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + name
            gap = False
        else:
            gap = True
    return words[1:] if leading and words.startswith("一十") else words


def say_digits(draw: random.Random, count: int, first: str = "") -> str:
    """Digits one by one; the digit one is said 幺 or 一, the same way throughout."""
    one = draw.choice("一幺幺")
    digits = first + "".join(str(draw.randrange(10)) for _ in range(count - len(first)))
    return "".join(one if d == "1" else _DIGITS[int(d)] for d in digits)


def _amount(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.35:
        return say_number(draw.randrange(100, 10_000))
    if kind < 0.6:
        return say_number(draw.randrange(1, 100) * 100)
    if kind < 0.8:
        return say_number(draw.randrange(10_000, 300_000))
    if kind < 0.9:
        return say_number(draw.randrange(10, 5000)) + "点" + "".join(draw.choice(_DIGITS) for _ in range(2))
    return draw.choice("一两三四五六七八九") + draw.choice("千百万") + draw.choice(["", "多", "二", "五", "八"])


def _money(draw: random.Random) -> str:
    return draw.choice(
        [
            "一万",
            "两万",
            "三万",
            "五万",
            "八万",
            "十万",
            "十五万",
            "二十万",
            "三十万",
            "五十万",
            "一百万",
            "五千",
            "八千",
            "两千",
        ]
    )


def _date(draw: random.Random) -> str:
    month, day = say_number(draw.randint(1, 12)), say_number(draw.randint(1, 31))
    near = draw.choice(["今天", "明天", "后天", "昨天", "前天", "这个月底", "下个月", "月初", "下周", "上个月"])
    return draw.choice([f"{month}月{day}号", f"{month}月{day}日", f"{day}号", f"这个月{day}号", f"下个月{day}号", near])


def _time(draw: random.Random) -> str:
    hour = draw.choice(["一", "两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"])
    part = draw.choice(["早上", "上午", "中午", "下午", "晚上", "傍晚"])
    minute = draw.choice(["", "", "", "半", "十分", "一刻", "三刻", "二十分", "四十分", "五十分"])
    return f"{part}{hour}点{minute}"


def _full_name(draw: random.Random) -> str:
    words = _slot_words()
    given: str = words["given"]
    surname: str = draw.choice(words["surname"])
    return surname + "".join(draw.choice(given) for _ in range(draw.choice([1, 2, 2])))


def _identity(draw: random.Random) -> str:
    return f"{say_digits(draw, 17, draw.choice('123456'))}{draw.choice([*_DIGITS, '叉'])}"


def _percent(draw: random.Random) -> str:
    return draw.choice(
        [say_number(draw.randint(1, 100)), say_number(draw.randint(1, 30)) + "点" + draw.choice(_DIGITS)]
    )


_MADE: dict[str, Callable[[random.Random], str]] = {
    "amount": _amount,
    "smallamount": lambda draw: say_number(draw.choice([draw.randint(1, 99), draw.randint(10, 999)])),
    "money": _money,
    "hundred": lambda draw: draw.choice([say_number(draw.randrange(1, 10) * 100), say_number(draw.randint(50, 2000))]),
    "decade": lambda draw: say_number(draw.randrange(10, 100, 10)),
    "smallnum": lambda draw: draw.choice([say_number(draw.randint(1, 36)), _percent(draw)]),
    "percent": _percent,
    "days": lambda draw: draw.choice(
        ["一", "两", "三", "四", "五", "六", "七", "八", "十", "十五", "二十", "三十", "六十", "九十", "好几"]
    ),
    "months": lambda draw: draw.choice(["三", "六", "九", "十二", "十八", "二十四", "三十六", "四十八"]),
    "dayno": lambda draw: say_number(draw.randint(1, 31)),
    "year": lambda draw: "".join(_DIGITS[int(c)] for c in str(draw.randint(1955, 2026))),
    "date": _date,
    "time": _time,
    "fullname": _full_name,
    "phone": lambda draw: say_digits(draw, 11, "1" + draw.choice("35789")),
    "tail": lambda draw: say_digits(draw, 4),
    "code": lambda draw: say_digits(draw, draw.choice([4, 6])),
    "jobno": lambda draw: say_digits(draw, draw.choice([3, 4, 4, 5])),
    "order": lambda draw: say_digits(draw, draw.randint(6, 12)),
    "idnum": _identity,
}


def slot_names() -> set[str]:
    """Every slot that a template may use."""
    return set(_MADE) | set(_slot_words())


def fill(template: str, draw: random.Random) -> str:
    """The template with every slot filled by chance. Raises KeyError for a slot that does not exist."""

    def word(match: re.Match[str]) -> str:
        name = match.group(1)
        return _MADE[name](draw) if name in _MADE else str(draw.choice(_slot_words()[name]))

    return str(_SLOT.sub(word, template))


# -- words from a frequency dictionary ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """A frequency dictionary, cut down to the characters that the model can write."""

    words: Sequence[str]
    cumulative: Sequence[float]
    by_character: dict[str, list[str]] = field(repr=False)


@cache
def dictionary() -> Words:
    """The Chinese word list of the package `wordfreq`; rare words are drawn more often than they are used."""
    try:
        import wordfreq
    except ImportError as error:
        raise UserError("the package wordfreq is missing: install tingjian with the extra `train`") from error

    allowed = set(characters())
    words, cumulative, total = [], [], 0.0
    by_character: dict[str, list[str]] = {}
    for word, frequency in wordfreq.get_frequency_dict("zh", "best").items():
        if 1 <= len(word) <= 4 and all(c in allowed for c in word):
            total += frequency**0.5
            words.append(word)
            cumulative.append(total)
            for character in set(word):
                listed = by_character.setdefault(character, [])
                if len(listed) < 40:
                    listed.append(word)
    return Words(words, cumulative, by_character)


def random_words(draw: random.Random, count: int) -> str:
    """`count` words of the dictionary in a row."""
    known = dictionary()
    return "".join(draw.choices(known.words, cum_weights=known.cumulative, k=count))


def covering_words(draw: random.Random, character: str) -> str:
    """Three or four words around one that has `character` in it, so that rare characters are heard, too."""
    containing = dictionary().by_character.get(character) or [character]
    words = [draw.choice(containing), *(random_words(draw, 1) for _ in range(draw.randint(1, 3)))]
    draw.shuffle(words)
    return "".join(words)


# -- sentences ---------------------------------------------------------------------------------------------------------


def clauses_of(templates: Sequence[Template]) -> list[str]:
    """The templates cut at their commas, each clause once."""
    return list(dict.fromkeys(part for t in templates for part in re.split("[，、。？！]", t.text) if len(part) >= 2))


def sentence(draw: random.Random, templates: Sequence[Template], clauses: Sequence[str], coverage_no: int) -> str:
    """One utterance of a training set: templates for the most part, other mixtures of clauses, digits, random words.

    coverage_no counts sentences up, so that the coverage part goes through every character in turn.
    """
    kind = draw.random()
    if kind < 0.55:
        return fill(draw.choice(templates).text, draw)
    if kind < 0.70:
        return fill("，".join(draw.choice(clauses) for _ in range(draw.choice([1, 1, 2, 2, 3]))), draw)
    if kind < 0.78:
        parts = [fill(draw.choice(clauses), draw), random_words(draw, draw.choice([1, 2, 3]))]
        draw.shuffle(parts)
        return "".join(parts)
    if kind < 0.88:
        return random_words(draw, draw.randint(2, 6))
    if kind < 0.95:
        known = characters()
        return covering_words(draw, known[coverage_no * 7919 % len(known)])
    return fill(
        draw.choice(
            ["{phone}", "{order}", "{amount}元", "{date}{time}", "{tail}", "{fullname}{title}", "百分之{percent}"]
        ),
        draw,
    )


def filled_clauses(times: int, seed: int = 1) -> Iterator[str]:
    """What is said between two commas, of each template that is not held out, filled so many times."""
    draw = random.Random(seed)
    for template in load_templates():
        for _ in range(0 if template.held_out else times):
            yield from said_clauses(fill(template.text, draw))


def read_clauses(path: Path) -> list[str]:
    """The clauses of a text file, a sentence a line. UserError when it can not be read."""
    try:
        return [clause for line in path.read_text("utf-8").splitlines() for clause in said_clauses(line)]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can not be read as UTF-8 text: {error}") from None


def said_clauses(text: str) -> list[str]:
    """The characters between the marks of a text."""
    return [said for part in _MARK.split(text) if (said := spoken(part))]


def writable(text: str) -> bool:
    """Whether the model's characters suffice for the text."""
    known = _known()
    return all(c in known for c in spoken(text))


@cache
def _known() -> frozenset[str]:
    return frozenset(characters())
