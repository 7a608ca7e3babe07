"""How soon a violation is known while the call is spoken, and how many live calls this machine holds.

Calls are written from a script and spoken by synthetic voices, so the moment in which each offending phrase ends is
known. They come in through the WebSocket door in real time, both channels, and a consumer of the violation topic notes
when the violation arrives: nothing of the path is left out, and everything (player, Kafka, all processors) shares the
machine. Latency is that arrival less the moment the phrase ended; phrases that were not recognised are counted apart.

    python -m benchmarks.live_calls --calls 6 --seconds 180
    python -m benchmarks.live_calls --find            # the largest number of calls without growing lag

Uses the stack that runs in TINGJIAN_HOME, or starts one for itself.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from confluent_kafka import Consumer, TopicPartition

from processors.ingest.folder import find_recordings
from processors.ingest.play import play_calls
from processors.records import Violation
from processors.runtime.kafka import client_options
from processors.runtime.offsets import ends
from processors.runtime.settings import Settings, load_settings
from processors.runtime.stack_file import read_stack
from processors.runtime.supervisor import Stack, ephemeral
from processors.runtime.wire import decode
from processors.tuning.demo_calls import RATE_HZ, render

SLOTS = ("ingest", "speech", "inspect", "sink")
OFFENCES = (
    ("threat", "今天再不还钱就让你坐牢"),
    ("abusive-agent", "你这个人就是不要脸"),
    ("threat", "逾期不还派人上门"),
    ("contact-relatives", "不还我就打到你单位"),
    ("contact-relatives", "这件事我会告诉你家人"),
    ("impersonating-authority", "我告诉你这里是公安局"),
)
"""Rule and line; the phrase that the rule looks for ends with the line."""
AGENT_LINES = (
    "您好，我是安信消费金融的专员，本次通话会全程录音",
    "请问您最近工作怎么样",
    "您可以先还一部分",
    "我帮您看一下账单",
    "这个月的账单已经发到您手机上",
    "您方便的话今天处理一下",
    "我这边帮您登记资料",
)
CUSTOMER_LINES = (
    "我最近手头有点紧",
    "我下个月发工资就还",
    "你再给我几天时间",
    "我知道了",
    "我现在在外面不方便说话",
    "我想了解一下能不能分期",
    "好的我考虑一下",
)
VOICES = ("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m7")
OFFENCE_EVERY = 2
STAGGER_S = 0.15
SETTLE_S = 15.0
"""After the last frame, for the last violations."""
NEAR_MS = 2_000
"""A violation belongs to the phrase that ended within so much of it."""
LAG_EVERY_S = 2.0
GROWTH_MS = 400
"""The last third of a run may be so much slower than the first one."""
P99_BAR_MS = {6: 1_500, 20: 2_500}
P50_BAR_MS = {6: 800}


@dataclass(frozen=True, slots=True)
class Phrase:
    """An offence, and when it has been spoken."""

    call_id: str
    rule_id: str
    end_ms: int


@dataclass(slots=True)
class Watch:
    """What came on the violation topic, and how the machine did meanwhile."""

    arrivals: list[tuple[int, Violation]] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    calls: int
    seconds: float
    phrases: int
    found: int
    first_p50_ms: int  # phrase end to the violation, provisional or confirmed
    first_p99_ms: int
    confirmed_p50_ms: int
    confirmed_p99_ms: int
    growth_ms: int  # median of the last third less that of the first
    lag_max_s: float  # of speech
    lag_end_s: float
    player_late_ms: int
    cpu: dict[str, float]  # cores used, by process

    @property
    def holds(self) -> bool:
        """Whether the machine kept up."""
        return self.found > 0 and self.growth_ms <= GROWTH_MS and self.first_p99_ms <= P99_BAR_MS[20]


def make_calls(folder: Path, count: int, seconds: float) -> list[Phrase]:
    """Write `count` recordings and a manifest; return the offences in them."""
    phrases: list[Phrase] = []
    rows = []
    for number in range(count):
        call_id = f"live-{os.getpid()}-{time.time_ns() // 1_000_000}-{number}"
        draw = random.Random(number)
        agent, customer = draw.sample(VOICES, 2)
        lines: list[dict[str, Any]] = []
        rules: list[str] = []
        for turn in range(round(seconds / 3)):
            rule, offence = draw.choice(OFFENCES) if turn % OFFENCE_EVERY == 1 else ("", draw.choice(AGENT_LINES))
            lines += [
                {"agent": offence, "gap": draw.uniform(0.3, 1.0)},
                {"customer": draw.choice(CUSTOMER_LINES), "gap": draw.uniform(0.3, 1.0)},
            ]
            rules += [rule, ""]
        voice = {"rate": draw.randint(190, 230), "pitch": draw.randint(35, 60)}
        call = {"agent": {"voice": agent, **voice}, "customer": {"voice": customer, **voice}, "lines": lines}
        audio, spoken = render(call, np.random.default_rng(number))
        soundfile.write(folder / f"{number}.wav", audio[: round(seconds * RATE_HZ)], RATE_HZ, subtype="ULAW")
        phrases += [
            Phrase(call_id, rule, line.end_ms)
            for rule, line in zip(rules, spoken, strict=True)
            if rule and line.end_ms < seconds * 1000 - 1_000
        ]
        rows.append({"call_id": call_id, "path": f"{number}.wav", "agent_id": f"A{number}", "scenario": "collection"})
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return phrases


def follow_violations(settings: Settings, watch: Watch) -> None:
    """Note the wall clock at which each violation arrives, until told to stop."""
    consumer = Consumer(
        {
            **client_options(settings),
            "group.id": "tingjian-benchmark",
            "enable.auto.commit": "false",
            "fetch.wait.max.ms": 20,
        }
    )
    consumer.assign([TopicPartition(*place, offset) for place, offset in ends(settings, ["violations"]).items()])
    while not watch.stop.is_set():
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            at_ms = time.time_ns() // 1_000_000
            record = decode(message.value())
            if isinstance(record, Violation):
                watch.arrivals.append((at_ms, record))
    consumer.close()


def follow_lag(settings: Settings, watch: Watch) -> None:
    """Sample the audio lag that speech reports."""
    while not watch.stop.wait(LAG_EVERY_S):
        stack = read_stack(settings.home)
        if stack is None or "speech" not in stack.processes:
            continue
        try:
            with urllib.request.urlopen(f"{stack.processes['speech'].health}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            continue
        watch.lags_s += [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("tingjian_speech_audio_lag_seconds{")
        ]


def cpu_seconds(settings: Settings) -> dict[str, float]:
    """CPU time so far of each process of the stack and of this one."""
    stack = read_stack(settings.home)
    pids = {name: child.pid for name, child in stack.processes.items()} if stack else {}
    used = {}
    for name, pid in {**pids, "player": os.getpid()}.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def run(settings: Settings, count: int, seconds: float) -> Result:
    """Play `count` calls at once and measure."""
    stack = read_stack(settings.home)
    assert stack is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        phrases = make_calls(folder, count, seconds)
        planned, _ = find_recordings(folder / "manifest.csv", ("agent", "customer"))
        watch = Watch()
        threads = [
            threading.Thread(target=target, args=(settings, watch), daemon=True)
            for target in (follow_violations, follow_lag)
        ]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        before, begun_s = cpu_seconds(settings), time.monotonic()
        played = asyncio.run(play_calls(stack.door, planned, token=settings.door_token, stagger_s=STAGGER_S))
        wall_s, after = time.monotonic() - begun_s, cpu_seconds(settings)
        time.sleep(SETTLE_S)
        watch.stop.set()
        for thread in threads:
            thread.join()
    cpu = {name: round((after[name] - before.get(name, 0.0)) / wall_s, 2) for name in after}
    started_ms = {call.call_id: call.started_at_ms for call in played}
    late_ms = max(call.late_ms for call in played)
    return measured(phrases, watch, started_ms, count, seconds, late_ms, cpu)


def measured(
    phrases: Sequence[Phrase],
    watch: Watch,
    started_ms: dict[str, int],
    count: int,
    seconds: float,
    late_ms: int,
    cpu: dict[str, float],
) -> Result:
    """Latencies of the phrases that were found."""
    first: list[tuple[int, int]] = []  # end of the phrase, latency
    confirmed: list[int] = []
    for phrase in phrases:
        spoken_at_ms = started_ms[phrase.call_id] + phrase.end_ms
        mine = [
            (at_ms, violation)
            for at_ms, violation in watch.arrivals
            if violation.call_id == phrase.call_id
            and violation.rule_id == phrase.rule_id
            and violation.start_ms - NEAR_MS <= phrase.end_ms <= violation.end_ms + NEAR_MS
        ]
        said = [at_ms for at_ms, violation in mine if violation.state != "retracted"]
        sure = [at_ms for at_ms, violation in mine if violation.state == "confirmed"]
        if said and sure:
            first.append((phrase.end_ms, min(said) - spoken_at_ms))
            confirmed.append(min(sure) - spoken_at_ms)
    third = seconds * 1000 / 3
    early = [latency for end_ms, latency in first if end_ms < third]
    last = [latency for end_ms, latency in first if end_ms >= 2 * third]
    growth = statistics.median(last) - statistics.median(early) if early and last else 0
    firsts = [latency for _, latency in first]
    return Result(
        calls=count,
        seconds=seconds,
        phrases=len(phrases),
        found=len(first),
        first_p50_ms=quantile(firsts, 0.5),
        first_p99_ms=quantile(firsts, 0.99),
        confirmed_p50_ms=quantile(confirmed, 0.5),
        confirmed_p99_ms=quantile(confirmed, 0.99),
        growth_ms=round(growth),
        lag_max_s=max(watch.lags_s, default=0.0),
        lag_end_s=watch.lags_s[-1] if watch.lags_s else 0.0,
        player_late_ms=late_ms,
        cpu=cpu,
    )


def quantile(values: Sequence[int], share: float) -> int:
    """Nearest rank; 0 of nothing."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def show(result: Result) -> None:
    """One line a run."""
    bars = []
    if result.calls in P99_BAR_MS:
        bars.append(f"p99 <= {P99_BAR_MS[result.calls]}")
    if result.calls in P50_BAR_MS:
        bars.append(f"p50 <= {P50_BAR_MS[result.calls]}")
    print(
        f"{result.calls} calls, {result.seconds:.0f} s: phrase end to violation p50 {result.first_p50_ms} ms, "
        f"p99 {result.first_p99_ms} ms ({', '.join(bars) or 'no bar'}); confirmed p50 {result.confirmed_p50_ms} ms, "
        f"p99 {result.confirmed_p99_ms} ms; found {result.found} of {result.phrases}; growth {result.growth_ms} ms; "
        f"lag of speech at most {result.lag_max_s:.1f} s, at the end {result.lag_end_s:.1f} s; "
        f"player late by at most {result.player_late_ms} ms; cores {result.cpu}; "
        f"{'holds' if result.holds else 'does not hold'}",
        flush=True,
    )


def find_largest(settings: Settings, seconds: float) -> list[Result]:
    """Double until it does not hold, then close in to steps of two calls."""
    results, held, too_many = [], 0, 0
    while not too_many or too_many - held > 2:
        count = (held + too_many) // 2 if too_many else max(6, held * 2)
        results.append(run(settings, count, seconds))
        show(results[-1])
        if results[-1].holds:
            held = count
        else:
            too_many = count
    print(f"the machine holds {held} calls")
    return results


def main() -> None:
    """Parse the options, find or start a stack, run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, nargs="+", default=[6, 20])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--find", action="store_true", help="search for the largest number of calls")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    settings = load_settings()
    with ExitStack() as stack:
        if read_stack(settings.home) is None:
            settings = stack.enter_context(ephemeral(settings))
        stack.enter_context(Stack(settings, SLOTS, lambda text: print(text, file=sys.stderr)))
        if options.find:
            results = find_largest(settings, options.seconds)
        else:
            results = []
            for count in options.calls:
                results.append(run(settings, count, options.seconds))
                show(results[-1])
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
