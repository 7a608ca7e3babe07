"""What an utterance costs with 10 to 10,000 rules, and what the same search costs as one expression for each rule.

The rules are drawn as quality teams write them (`KINDS`): mostly lists of phrases, some of them with exceptions in a
window, near words, sequences, what must be said, measurements. Phrases are pairs of words of call-centre talk. The
calls are such talk, too; one utterance in twenty says a phrase of one of the first ten rules. Each utterance comes with
three partials that grow, each second with a tick. Sizes take turns, so that noise of the machine meets all alike.

* growth: cost of an utterance (its partials, its share of the ticks and what they find included) by number of rules,
  and the same where the rules beyond the first ten find nothing (none of them must be said; what the calls say is not
  what they look for), so that more rules is all that differs;
* loop: the search for the phrases of 1,000 rules in a finished utterance, against one compiled regular expression for
  each rule. Three of them: by character; by sound, too (a class of characters for each syllable); and with one wrong
  syllable, too (any one of three or more is left free). The engine finds all that the first two do, and weighs a
  wrong syllable where the third takes any;
* compiling: time, and growth of the peak of memory; state: bytes of the stored state of a call at its end.

Run: `python -m benchmarks.rules [--sizes 10 100 1000 10000] [--repeats 7]`.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.engine import dump_state, step
from processors.inspect.language import parse
from processors.inspect.operators.base import Text, TimelineRecord
from processors.inspect.sounds import normal, readings
from processors.inspect.spoken import Spoken
from processors.inspect.state import CallState
from processors.records import CallStarted, ChannelTick, Partial, Tick, Token, Utterance
from processors.tuning import text

UTTERANCES = 60
"""In each call: about five minutes."""
PARTIALS = 3
GAP_MS = 1_000
CHARACTER_MS = 230
HIT_SHARE = 0.05
PLANTED = 10
"""Rules whose phrases the calls say on purpose: the first ones of each rule set."""
SEARCHED = 60
"""Utterances over which the loops of expressions are run: the slowest takes tens of milliseconds for each."""

Say = Callable[[], str]


def _said(draw: random.Random, say: Say) -> str:
    return f"said: [{', '.join(say() for _ in range(draw.randint(3, 8)))}]"


def _said_all(draw: random.Random, say: Say) -> str:
    return f"said: {{all: [{say()}, {say()}]}}"


def _excepted(draw: random.Random, say: Say) -> str:
    lists = [", ".join(say() for _ in range(draw.randint(2, 5))) for _ in range(2)]
    return f"all: [{{said: [{lists[0]}]}}, {{not: {{said: [{lists[1]}]}}, within_s: {draw.choice((10, 20, 30))}}}]"


def _near(draw: random.Random, say: Say) -> str:
    return f"near: {{words: [{say()}, {say()}], chars: {draw.choice((5, 10, 15))}}}"


def _must_say(draw: random.Random, say: Say) -> str:
    phrases = ", ".join(say() for _ in range(draw.randint(3, 6)))
    return f"must_say: [{phrases}]\n  first_s: {draw.choice((15, 30, 60, 120))}"


def _sequence(draw: random.Random, say: Say) -> str:
    return f"sequence: [{{said: [{say()}, {say()}]}}, {{said: [{say()}]}}]\n  within_s: 30"


def _repeated(draw: random.Random, say: Say) -> str:
    return f"repeated: {{times: 3, within_s: 60, like: [{say()}, {say()}]}}"


def _matches(draw: random.Random, say: Say) -> str:
    return f"matches: {{regex: '{say()}.{{0,4}}({say()}|{say()})'}}"


def _measured(draw: random.Random, say: Say) -> str:
    return draw.choice(
        (
            "rate: {of: agent, more_than: 330, over_s: 15}",
            f"silence: {{of: line, at_least_s: {draw.choice((8, 15))}}}",
            "response_time: {of: agent, more_than_s: 5}",
            "overlap: {by: agent, at_least_ms: 800}",
            "level: {of: agent, jump_db: 10}",
        )
    )


KINDS = (
    (_said, 50), (_said_all, 6), (_excepted, 14), (_near, 8), (_must_say, 8), (_sequence, 4), (_repeated, 2),
    (_matches, 3), (_measured, 5),
)  # fmt: skip
"""Kinds of rules and their percentages."""


@cache
def words() -> tuple[str, ...]:
    """Stretches of two to four characters of call-centre talk."""
    found: dict[str, None] = {}
    for template in text.load_templates():
        for clause in re.split(r"[，。？！、{}a-z]+", template.text):
            for start in range(0, len(clause) - 1, 2):
                found.setdefault(clause[start : start + 2])
                found.setdefault(clause[start : start + 3])
    return tuple(one for one in found if len(one) >= 2 and text.spoken(one) == one)


def make_rules(count: int, seed: int = 3, quiet: bool = False) -> RuleBook:
    """A rule set; the first rules of a larger one are those of a smaller one. `quiet`: the others find nothing."""
    draw = random.Random(seed)

    def say() -> str:
        return draw.choice(words()) + draw.choice(words())

    rules = []
    for number in range(count):
        kinds = [one for one in KINDS if not (quiet and number >= PLANTED and one[0] is _must_say)]
        makers, weights = zip(*kinds, strict=True)
        when = makers[0](draw, say) if number == 0 else draw.choices(makers, weights)[0](draw, say)
        scope = draw.choice(("{role: agent}", "{role: agent}", "{role: customer}", "{scenario: [sales], role: agent}"))
        rules.append(f"id: r{number}\nscope: {scope}\npoints: -2\nwhen:\n  {when}\n")
    parsed = parse({"rules.yaml": "---\n".join(rules)})
    return compile_book(parsed, "benchmark")


def make_call(book: RuleBook, number: int) -> list[TimelineRecord]:
    """A call whose utterances sometimes say what the first rules look for."""
    draw = random.Random(number)
    templates = text.load_templates()
    planted = [
        phrase
        for leaf in book.leaves
        if isinstance(leaf.operator, Text) and min(leaf.rules, default=PLANTED) < PLANTED
        for phrase in leaf.operator.phrases()
    ]
    call_id = f"call-{number}"
    records: list[TimelineRecord] = [
        CallStarted(
            call_id=call_id, at_ms=0, lane="live", direction="outbound", scenario="sales", queue="", team_id="t",
            agent_id="a", customer_id="c", language="zh", channels=("agent", "customer"), attributes={}, door="ws",
        )
    ]  # fmt: skip
    now_ms, second = 500, 1
    for index in range(UTTERANCES):
        words = text.spoken(text.fill(draw.choice(templates).text, draw))
        if draw.random() < HIT_SHARE:
            words += draw.choice(planted)
        channel = index % 2
        end_ms = now_ms + CHARACTER_MS * len(words)
        records += _spoken(call_id, channel, index // 2, words, now_ms, end_ms, draw)
        now_ms = end_ms + GAP_MS
        while second * 1000 <= now_ms:
            channels = tuple(
                ChannelTick(channel=c, final_until_ms=second * 1000, speech_ms=500, level_db=-30.0) for c in (0, 1)
            )
            records.append(Tick(call_id=call_id, call_ms=second * 1000, at_ms=second * 1000, channels=channels))
            second += 1
    return records


def _spoken(
    call_id: str, channel: int, number: int, words: str, start_ms: int, end_ms: int, draw: random.Random
) -> list[TimelineRecord]:
    role = ("agent", "customer")[channel]
    shared = {"call_id": call_id, "channel": channel, "role": role, "utterance_no": number, "start_ms": start_ms}
    records: list[TimelineRecord] = []
    for part in range(1, PARTIALS + 1):
        heard = words[: len(words) * part // (PARTIALS + 1)]
        if heard:
            records.append(Partial(**shared, end_ms=start_ms + CHARACTER_MS * len(heard), text=heard, at_ms=0))
    tokens = tuple(
        Token(
            text=character,
            start_ms=start_ms + CHARACTER_MS * i,
            end_ms=start_ms + CHARACTER_MS * (i + 1),
            confidence=draw.choice((0.99, 0.99, 0.97, 0.9, 0.7)),
        )
        for i, character in enumerate(words)
    )
    records.append(
        Utterance(
            utterance_id=f"{call_id}/{channel}/{number}", **shared, end_ms=end_ms, text=words, written=words,
            tokens=tokens, confidence=0.9, at_ms=end_ms,
        )
    )  # fmt: skip
    return records


def play(book: RuleBook, calls: Sequence[Sequence[TimelineRecord]]) -> tuple[float, int, list[CallState]]:
    """Seconds, outputs, and the states at the end."""
    states, outputs = [], 0
    began = time.perf_counter()
    for records in calls:
        state: CallState | None = None
        for position, record in enumerate(records):
            state, found = step(book, state, record, position)
            outputs += len(found)
        if state is not None:
            states.append(state)
    return time.perf_counter() - began, outputs, states


def patterns(book: RuleBook, form: Callable[[str], str]) -> list[re.Pattern[str]]:
    """One expression for each rule with phrases: any of them, in this form."""
    phrases: dict[int, dict[str, None]] = defaultdict(dict)
    for leaf in book.leaves:
        if isinstance(leaf.operator, Text):
            for rule in leaf.rules:
                phrases[rule].update(dict.fromkeys(normal(one) for one in leaf.operator.phrases()))
    return [re.compile("|".join(map(form, said))) for said in phrases.values() if said]


def by_sound(phrase: str) -> str:
    """A class of characters for each syllable."""
    return "".join(map(_like, phrase))


def one_wrong(phrase: str) -> str:
    """The same with any one syllable free, in phrases of three or more."""
    if len(phrase) < 3:
        return by_sound(phrase)
    return "|".join(by_sound(phrase[:place]) + "." + by_sound(phrase[place + 1 :]) for place in range(len(phrase)))


@cache
def _like(character: str) -> str:
    alike = {other for other in text.characters() if not set(readings(other)).isdisjoint(readings(character))}
    return f"[{''.join(sorted(alike | {character}))}]"


def spent(work: Callable[[], object]) -> float:
    """Seconds of the processor, which other processes on the machine do not lengthen as they do the clock's."""
    began = time.process_time()
    work()
    return time.process_time() - began


def shown(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def growth(books: dict[int, RuleBook], calls: Sequence[Sequence[TimelineRecord]], repeats: int) -> None:
    """Print the cost of an utterance by number of rules."""
    spoken = sum(isinstance(record, Utterance) for records in calls for record in records)
    characters = sum(len(r.text) for records in calls for r in records if isinstance(r, Utterance | Partial))
    costs: dict[int, list[float]] = defaultdict(list)
    outputs = {}
    for repeat in range(repeats + 1):
        for count, book in books.items():
            began = time.process_time()
            _, outputs[count], _ = play(book, calls)
            if repeat:  # the first turn warms up
                costs[count].append((time.process_time() - began) / spoken)
    print(f"{spoken} utterances with {PARTIALS} partials each, {characters} characters scanned in a turn")
    least = min(books)
    for count, values in costs.items():
        ratios = [one / other for one, other in zip(values, costs[least], strict=True)]
        print(
            f"  {count:6} rules: {shown([1e6 * one for one in values], 0)} us an utterance,"
            f" {1 / statistics.median(values):.0f} utterances a second and core,"
            f" {characters / spoken / statistics.median(values):.0f} characters a second,"
            f" {shown(ratios)} times {least} rules; {outputs[count]} outputs"
        )


def loop(book: RuleBook, calls: Sequence[Sequence[TimelineRecord]], repeats: int) -> None:
    """Print the search against one expression a rule."""
    records = [record for one in calls for record in one if isinstance(record, Utterance)][:SEARCHED]
    texts = [normal(record.text) for record in records]
    loops = {
        "by character only": patterns(book, re.escape),
        "by character and by sound": patterns(book, by_sound),
        "by sound with one wrong syllable": patterns(book, one_wrong),
    }

    def search(expressions: Sequence[re.Pattern[str]]) -> list[list[object]]:
        return [[one.search(words) for one in expressions] for words in texts]

    ours: list[float] = []
    theirs: dict[str, list[float]] = defaultdict(list)
    for repeat in range(repeats + 1):
        engine = spent(lambda: [book.finds(Spoken(record, 0, None)) for record in records])
        turn = {what: spent(partial(search, expressions)) for what, expressions in loops.items()}
        if repeat:
            ours.append(engine)
            for what, value in turn.items():
                theirs[what].append(value)
    for what, values in theirs.items():
        ratios = [value / engine for value, engine in zip(values, ours, strict=True)]
        count = len(loops[what])
        print(f"  an expression for each of {count} rules, {what}: {shown(ratios, 1)} times the engine's search")
    print(f"  the search of the engine: {shown([1e6 * one / len(records) for one in ours], 0)} us an utterance")


def compiled(count: int) -> RuleBook:
    """Make a rule set, and print what that took."""
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    books: list[RuleBook] = []
    seconds = spent(lambda: books.append(make_rules(count)))
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    print(f"  {count:6} rules: read and compiled in {seconds:.1f} s, peak of memory grew by {grown_mib:.0f} MiB")
    return books[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--calls", type=int, default=3)
    args = parser.parse_args()
    books = {count: compiled(count) for count in args.sizes}
    calls = [make_call(books[min(books)], number) for number in range(args.calls)]
    growth(books, calls, args.repeats)
    if min(books) == PLANTED and 1_000 in books:
        print("rules beyond the first ten that find nothing:")
        growth({PLANTED: books[PLANTED], 1_000: make_rules(1_000, quiet=True)}, calls, args.repeats)
    if 1_000 in books:
        loop(books[1_000], calls, args.repeats)
    for count, book in books.items():
        _, _, states = play(book, calls)
        print(f"  {count:6} rules: {max(len(dump_state(state)) for state in states)} bytes of state at most")


if __name__ == "__main__":
    main()
