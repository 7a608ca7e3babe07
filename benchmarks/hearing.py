"""What the speech model hears when sentences of known words are spoken to it over a telephone line.

Writes `heard.tsv`, the material of `homophones.py`: group, voice, words spoken, words heard, confidence of each heard
character (two digits, hundredths, rounded down), and what each may have been instead, between bars. The model runs as
in a live call, chunk by chunk. Groups: `rules` are the phrases of the shipped rule book in short sentences, `later`
those of `later_rules.yaml`, which nothing in the project was made for, `ordinary` the talk of call centres. Half of the
voices were never heard in training.

Run: `python -m benchmarks.hearing [--per-phrase 3] [--ordinary 1200]` (about 5 minutes on one quiet core).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import parse
from processors.inspect.operators.base import Text
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.runtime.settings import load_settings
from processors.speech.agent import load_models
from processors.speech.hypotheses import reworded, text_of, tokens_of
from processors.speech.recogniser import Piece, Recogniser, Work, first_sample
from processors.tuning import text
from processors.tuning.channel import Samples
from processors.tuning.sounds import HELD_OUT_VOICES, MODEL_RATE_HZ, Line, Voice, render, training_variants
from processors.tuning.speak import Engine, available

HEARD = Path(__file__).with_name("heard.tsv")
LATER = Path(__file__).with_name("later_rules.yaml")
STREAMS = 24
BEFORE = (
    "", "", "那", "我跟您说", "您放心", "先生", "女士", "是这样的", "这边", "因为", "您看", "我说", "现在", "这个",
    "他说", "反正", "再不处理",
)  # fmt: skip
AFTER = (
    "", "", "", "的", "吧", "了", "您明白吗", "好不好", "知道吗", "我们这边", "这样可以吗", "就是这样", "先生",
)  # fmt: skip


def phrases_of(book: RuleBook) -> list[str]:
    """The phrases of all rules, without the steps of flows."""
    found: dict[str, None] = {}
    for leaf in book.leaves:
        if isinstance(leaf.operator, Text) and any(not book.rules[rule].hidden for rule in leaf.rules):
            found.update(dict.fromkeys(leaf.operator.phrases()))
    return list(found)


def sentences(per_phrase: int, ordinary: int, draw: random.Random) -> Iterator[tuple[str, str]]:
    """(group, sentence) with each phrase so many times, and talk made from the templates of the recipe."""
    for group, folder in (("rules", shipped_folder()), ("later", LATER)):
        for phrase in phrases_of(compile_book(parse(read_rule_files(folder)), group)):
            for _ in range(per_phrase):
                yield group, draw.choice(BEFORE) + phrase + draw.choice(AFTER)
    templates = text.load_templates()
    made = 0
    while made < ordinary:
        sentence = text.fill(draw.choice(templates).text, draw)
        if len(text.spoken(sentence)) >= 4:
            made += 1
            yield "ordinary", sentence


def telephone(engine: Engine, draw: random.Random) -> tuple[Voice, Line]:
    """A voice, half of the time one that training never heard, and a telephone line."""
    variant = draw.choice(HELD_OUT_VOICES if draw.random() < 0.5 else training_variants(engine))
    voice = Voice(engine, variant, draw.randint(150, 215), draw.randint(30, 70), draw.randint(35, 65))
    noise = draw.choice(("white", "pink", "street", "fan"))
    line = Line(8000, 300.0, 3400.0, 4, noise, draw.uniform(15, 30), -24.0, draw.choice(("pcma", "pcmu")), 0.0, None)
    return voice, line


def hear(models: Recogniser, signals: Sequence[Samples]) -> list[tuple[str, str, str]]:
    """(words, confidences as digits, alternatives between bars) of each signal, heard side by side as in live calls."""
    slots = [models.open() for _ in signals]
    grid = models.grid
    chunks = [grid.chunks_over(len(signal)) for signal in signals]
    heard: list[list[Piece]] = [[] for _ in signals]
    for chunk in range(max(chunks)):
        rows = [row for row, count in enumerate(chunks) if chunk < count]
        first, until = first_sample(grid, chunk), grid.samples_until(chunk + 1)
        works = []
        for row in rows:
            slot = slots[row]
            assert slot is not None
            samples = signals[row][first:until]
            works.append(Work(slot, chunk, 1, np.pad(samples, (0, until - first - len(samples)))))
        for row, pieces in zip(rows, models.transcribe(works), strict=True):
            heard[row] += pieces
    for slot in slots:
        assert slot is not None
        models.close(slot)
    found = []
    for pieces in map(partial(reworded, grid=grid), heard):
        tokens = tokens_of(pieces, grid, 0, 0, 600_000)
        digits = "".join(f"{min(99, int(100 * token.confidence)):02}" * len(token.text) for token in tokens)
        instead = "|".join(token.alternatives for token in tokens)
        found.append((text_of(pieces, grid), digits, instead))
    return found


def main() -> None:
    """Speak, listen, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-phrase", type=int, default=3)
    parser.add_argument("--ordinary", type=int, default=1200)
    parser.add_argument("--engine", choices=["bundled", "system"], help="default: all that this machine has")
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    both: tuple[Engine, Engine] = ("bundled", "system")
    engines = [args.engine] if args.engine else [engine for engine in both if available(engine)]
    settings = load_settings(speech_slots=STREAMS)
    models = load_models(settings)
    draw = random.Random(args.seed)
    lines, signals, began = [], [], time.perf_counter()
    for group, sentence in sentences(args.per_phrase, args.ordinary, draw):
        voice, line = telephone(draw.choice(engines), draw)
        example = render([sentence], voice, line, draw)
        if example is not None:
            lines.append((group, voice.variant, example.text))
            signals.append(example.samples.astype(np.float32) / np.float32(32768.0))
    order = sorted(range(len(signals)), key=lambda i: len(signals[i]))
    heard: dict[int, tuple[str, str, str]] = {}
    for start in range(0, len(order), STREAMS):
        rows = order[start : start + STREAMS]
        heard.update(zip(rows, hear(models, [signals[row] for row in rows]), strict=True))
    with HEARD.open("w", encoding="utf-8") as out:
        for row, (group, variant, spoken) in enumerate(lines):
            out.write("\t".join((group, variant, spoken, *heard[row])) + "\n")
    audio_s = sum(len(signal) for signal in signals) / MODEL_RATE_HZ
    print(f"{len(lines)} sentences, {audio_s:.0f} s of audio, in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
