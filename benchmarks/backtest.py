"""How fast are past calls replayed through two rule sets, and are the verdicts those of the engine?

    python benchmarks/backtest.py [--calls 10000] [--rules 100] [--changed 10] [--partials] [--processes 2]

Writes synthetic timelines of 3 to 5 minutes (utterances with token times, acoustics and sentiment, a tick a second,
holds; with `--partials` the growing texts that a live call has besides) to the topics of an embedded Kafka of its own,
then does what `tingjian rules backtest` does: a rule set against one in which some rules differ. Of every SAMPLE-th
call the old set's verdicts are computed beforehand by the engine alone, in this process, and written to `violations`
and `scorecards` as `inspect` would; the backtest must find the same ids. The first RECHECKED calls that it reports as
changed are judged again by the engine with both sets in full; the ids gained and lost must be the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.rules import words
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.examples import Example, Line, timeline
from processors.inspect.language import parse
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.replays import SCORECARDS, TIMELINE, Question, backtest
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.tally import Finding, Tally, difference
from processors.inspect.trial import replay, standing
from processors.records import AnyRecord, Partial, Scorecard, Utterance, Violation
from processors.runtime import wire
from processors.runtime.kafka import make_producer
from processors.runtime.settings import Settings, load_settings
from processors.runtime.supervisor import Stack

AT_MS = 1_795_000_000_000
SAMPLE = 50
RECHECKED = 40
MS_PER_CHAR = 230
PARTIAL_MS = 480
SAID = 0.005
"""Share of the phrases of the rules beyond the shipped ones that the calls do say."""
SCENARIOS = ("loan-sales", "collection", "service", "")
AGENT = (
    "您好这里是安信消费金融请问有什么可以帮您", "请问是王先生本人吗", "我帮您查询一下请您稍等",
    "年化利率是百分之十八左右", "您这边的额度是五万元", "这个需要以审批结果为准", "我们这边可以给您办理分期",
    "您的还款日是每个月十五号", "好的我给您记录一下", "请您核对一下身份证后四位", "还有什么可以帮您的吗",
    "感谢您的来电祝您生活愉快", "这个费用是一次性收取的", "非常理解您的心情",
)  # fmt: skip
CUSTOMER = (
    "我想问一下贷款的事情", "利率是多少啊", "什么时候可以到账呢", "我没有收到短信", "好的谢谢", "那我再考虑考虑",
    "我下个月再还可以吗", "这个怎么收费的", "我听不太清楚", "嗯对是的", "身份证后四位是三六七八", "我已经还过了",
)  # fmt: skip
BREACHES = (
    "我们保证下款百分之百通过", "再不还钱就让你坐牢", "你到底还不还钱", "我要投诉你们", "今天还的话罚息不用还",
    "他欠我们钱",
)  # fmt: skip


def call(number: int, seed: int, partials: bool) -> list[TimelineRecord]:
    """The timeline of one call."""
    chance = random.Random(f"{seed}/{number}")
    lines: list[Line] = []
    at_ms, length_ms, side = chance.randint(500, 3_000), chance.randint(180_000, 300_000), 0
    while at_ms < length_ms:
        role = "agent" if side % 2 == 0 else "customer"
        words = chance.choice(AGENT if role == "agent" else CUSTOMER)
        if chance.random() < 0.3:
            words += chance.choice(AGENT if role == "agent" else CUSTOMER)
        if chance.random() < 0.006:
            words = chance.choice(BREACHES)
        end_ms = at_ms + MS_PER_CHAR * len(words)
        levels = (("level_db", chance.gauss(-24, 4)), ("pitch_hz", chance.gauss(190, 25)))
        measures = (*levels, ("sentiment", chance.gauss(0, 0.3)), ("confidence", chance.uniform(0.9, 1.0)))
        lines.append(Line(role, at_ms, end_ms, words, measures, (), True))
        pause_ms = chance.choice((300, 600, 900, 1_500, 3_000, 9_500 if chance.random() < 0.05 else 1_000))
        at_ms, side = end_ms + pause_ms, side + (chance.random() < 0.85)
    holds = ((60_000, 85_000),) if chance.random() < 0.1 else ()
    end_ms = max(line.end_ms for line in lines) + 2_000
    example = Example(tuple(lines), holds, end_ms, True, ("", 1, 1), scenario=chance.choice(SCENARIOS))
    records = timeline(dataclasses.replace(example, at_ms=AT_MS + number * 1_000), f"call-{number:06}")
    written = list(_with_partials(records)) if partials else records
    return [_as_read(record) for record in written]


def _as_read(record: TimelineRecord) -> TimelineRecord:
    """The record as every reader of the topic has it: measurements are single floats there."""
    read = wire.decode(wire.encode(record))
    assert isinstance(read, TimelineRecord)
    return read


def _with_partials(records: list[TimelineRecord]) -> Iterator[TimelineRecord]:
    """The growing text of each utterance before it, in the order of time."""
    early: list[tuple[int, Partial]] = []
    for record in records:
        if isinstance(record, Utterance):
            for at_ms in range(record.start_ms + PARTIAL_MS, record.end_ms, PARTIAL_MS):
                text = "".join(token.text for token in record.tokens if token.end_ms <= at_ms)
                if text:
                    early.append((at_ms, Partial(
                        call_id=record.call_id, channel=record.channel, role=record.role,
                        utterance_no=record.utterance_no, start_ms=record.start_ms, end_ms=at_ms, text=text,
                        at_ms=record.at_ms - record.end_ms + at_ms,
                    )))  # fmt: skip
    early.sort(key=lambda one: one[0])
    for record in records:
        at_ms = getattr(record, "end_ms", getattr(record, "call_ms", 0))
        while early and early[0][0] <= at_ms:
            yield early.pop(0)[1]
        yield record


def rule_sets(rules: int, changed: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The shipped rules, filled up with phrase rules to so many; and the same with some of them changed."""
    shipped = read_rule_files(shipped_folder())
    known = len(parse(shipped).rules)
    chance = random.Random(7)
    texts = [*AGENT, *CUSTOMER]

    def say() -> str:
        if chance.random() < SAID:
            return chance.choice(texts)[2:8]
        return chance.choice(words()) + chance.choice(words())

    more = []
    for number in range(max(0, rules - known)):
        phrases = ", ".join(say() for _ in range(6))
        window = chance.choice(("", "  first_s: 60\n", "  last_s: 60\n"))
        more.append(f"id: extra-{number}\npoints: -1\nscope: {{role: agent}}\nwhen:\n  said: [{phrases}]\n{window}")
    old = {**shipped, "extra.yaml": "---\n".join(more).encode()} if more else shipped
    altered = [
        one.replace("points: -1\n", "points: -2\n").replace("said: [", "said: [保证下款, ") for one in more[:changed]
    ]
    new = {**old, "extra.yaml": "---\n".join([*altered, *more[changed:]]).encode()} if more else old
    return dict(old), new


def write(settings: Settings, calls: int, seed: int, partials: bool, old: RuleBook) -> int:
    """Put the timelines on the topic, 64 calls at once, and what was found live; returns the number of records."""
    producer = make_producer(settings)
    count = 0

    def put(topic: str, record: AnyRecord, call_id: str) -> None:
        producer.produce(topic, wire.encode(record), call_id.encode())

    for first in range(0, calls, 64):
        open_calls = [call(number, seed, partials) for number in range(first, min(calls, first + 64))]
        for row in range(max(map(len, open_calls))):
            for records in open_calls:
                if row < len(records):
                    put(TIMELINE, records[row], records[row].call_id)
                    count += 1
            producer.poll(0)
        for records in open_calls[::SAMPLE]:
            for output in replay(old, records):
                if isinstance(output, Violation | Scorecard):
                    put("violations" if isinstance(output, Violation) else SCORECARDS, output, output.call_id)
        producer.flush(60)
    return count


def wrong_changes(tally: Tally, seed: int, partials: bool, old: RuleBook, new: RuleBook) -> list[str]:
    """Calls whose reported change is not the one between the engine's verdicts under the two sets."""
    wrong = []
    for change in tally.changes[:RECHECKED]:
        records = call(int(change.call_id.removeprefix("call-")), seed, partials)
        before, after = (list(standing(replay(book, records))) for book in (old, new))
        gained, lost = difference(*([_finding(one) for one in found] for found in (before, after)))
        if [_ids(gained), _ids(lost)] != [_ids(change.gained), _ids(change.lost)]:
            wrong.append(change.call_id)
    return wrong


def _finding(one: Violation) -> Finding:
    return Finding(
        one.violation_id, one.call_id, one.rule_id, one.rule_name, one.severity, one.points, one.fatal, one.start_ms,
        one.end_ms, "",
    )  # fmt: skip


def _ids(findings: Iterable[Finding]) -> set[str]:
    return {one.violation_id for one in findings}


def main() -> None:
    """Measure, and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=10_000)
    options.add_argument("--rules", type=int, default=100)
    options.add_argument("--changed", type=int, default=10)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--partials", action="store_true")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    old, new = rule_sets(given.rules, given.changed)
    books = [compile_book(parse(files), "default") for files in (old, new)]
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home))
        with Stack(settings, (), lambda text: print(text, file=sys.stderr)):
            begun = time.monotonic()
            records = write(settings, given.calls, given.seed, given.partials, books[0])
            print(f"wrote {records} records in {time.monotonic() - begun:.0f} s", file=sys.stderr)
            begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            tally = backtest(settings, Question(old, new, "default"), given.processes, lambda *_: None)
            seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # of the processes that replay
    wrong = wrong_changes(tally, given.seed, given.partials, *books)
    found = sum(one.old for one in tally.rules.values())
    measured = {
        "calls": tally.calls,
        "records": tally.records,
        "rules": given.rules,
        "changed_rules": given.changed,
        "processes": given.processes,
        "partials": given.partials,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_s, 1),
        "cpu_ms_per_call": round(1_000 * cpu_s / tally.calls, 1),
        "calls_per_s": round(tally.calls / seconds, 1),
        "seconds_for_10000_calls": round(10_000 * seconds / tally.calls),
        "violations_old": found,
        "changed_calls": tally.changed_calls,
        "live_calls": tally.live_calls,
        "live_equal": tally.live_equal,
        "rechecked_changes": min(RECHECKED, len(tally.changes)),
        "wrong_changes": wrong,
    }
    print(json.dumps(measured, indent=1))
    if (tally.calls, tally.records) != (given.calls, records) or wrong or not found or not tally.changes:
        sys.exit("the backtest has not seen what was written")
    if not tally.live_calls or tally.live_equal != tally.live_calls:
        sys.exit("the verdicts are not those of the engine")


if __name__ == "__main__":
    main()
