"""Runs the examples of rules, flows and schemes through the engine and compares what they find with what they promise.

The examples are calls like any others: the whole rule set judges them, and what stands at the end counts for the rule
that the example belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from processors.inspect.book import CompiledRule, RuleBook
from processors.inspect.engine import Output, step
from processors.inspect.examples import Example, timeline
from processors.inspect.flow_files import FlowExample
from processors.inspect.language import mentioned
from processors.inspect.operators.base import Encoder, TimelineRecord
from processors.inspect.schemes import Scheme, SchemeExample
from processors.inspect.scopes import out_of_scope_because
from processors.inspect.state import CallState
from processors.records import CallStarted, FlowProgress, Scorecard, Violation

TOLERANCE_MS: Final = 500
SAME_POINTS: Final = 0.005
"""Scores have two decimals."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One example and what came of it; `message` is empty when it keeps its promise."""

    rule_id: str
    number: int
    example: Example
    found: tuple[Violation, ...]
    message: str

    @property
    def passed(self) -> bool:
        """Whether the example does what it promises."""
        return not self.message


def replay(book: RuleBook, records: Iterable[TimelineRecord]) -> list[Output]:
    """All outputs of one call, in order."""
    state: CallState | None = None
    outputs: list[Output] = []
    for position, record in enumerate(records):
        state, more = step(book, state, record, position)
        outputs += more
    return outputs


def standing(outputs: Iterable[Output]) -> list[Violation]:
    """Violations that stand at the end, in their last version, in the order in which they were first found."""
    latest: dict[str, Violation] = {}
    for output in outputs:
        if isinstance(output, Violation):
            latest[output.violation_id] = output
    return [violation for violation in latest.values() if violation.state != "retracted"]


def run_examples(book: RuleBook) -> list[Outcome]:
    """All examples of all rules, in the order of the files."""
    rules = sorted((one for one in book.rules if not one.hidden), key=lambda one: one.rule.place)
    return [
        *(
            run_example(book, compiled, number, example)
            for compiled in rules
            for number, example in enumerate(compiled.rule.examples, 1)
        ),
        *(
            run_flow_example(book, flow.flow_id, number, example)
            for flow in book.flows
            for number, example in enumerate(flow.examples, 1)
        ),
        *(
            run_scheme_example(book, scheme, number, example)
            for scheme in book.schemes
            for number, example in enumerate(scheme.examples, 1)
        ),
    ]


def run_flow_example(book: RuleBook, flow_id: str, number: int, example: FlowExample) -> Outcome:
    """One example of one flow: exactly the promised steps are missed, and at least the promised ones are done."""
    steps = [name for name in book.by_id if name.startswith(f"{flow_id}/")]
    outputs = replay(book, timeline(example.call, encoder=_encoder(book, steps)))
    last = next((one for one in reversed(outputs) if isinstance(one, FlowProgress) and one.flow_id == flow_id), None)
    found = tuple(one for one in standing(outputs) if one.rule_id.startswith(f"{flow_id}/"))
    if last is None:
        return Outcome(flow_id, number, example.call, found, "the flow does not apply to this call")
    missed = {one.step_id for one in last.steps if one.state == "missed"}
    undone = set(example.done) - {one.step_id for one in last.steps if one.state == "done"}
    wrong = []
    if missed != set(example.missed):
        wrong.append(f"missed {_names(missed)}, should miss {_names(example.missed)}")
    wrong += [f"not done {', '.join(sorted(undone))}"] if undone else []
    return Outcome(flow_id, number, example.call, found, "; ".join(wrong))


def _names(steps: Iterable[str]) -> str:
    return ", ".join(sorted(steps)) or "nothing"


def run_scheme_example(book: RuleBook, scheme: Scheme, number: int, example: SchemeExample) -> Outcome:
    """One example of one scheme: this scheme scores the call, and gives the promised points."""
    counted = [rule for dimension in scheme.dimensions for item in dimension.items for rule in item.rules]
    outputs = replay(book, timeline(example.call, encoder=_encoder(book, counted)))
    found = tuple(standing(outputs))
    card = next(one for one in reversed(outputs) if isinstance(one, Scorecard))
    message = ""
    if card.scheme != scheme.scheme_id:
        message = f"the scheme '{card.scheme}' scores this call" if card.scheme else "no scheme scores this call"
    elif abs(card.points - example.points) >= SAME_POINTS or card.fatal != example.fatal:
        lines = [f"{item.item_id} {item.points:+g}" for item in card.items if item.points or item.fatal]
        scored = f"{card.points:g}{' (fatal)' if card.fatal else ''}"
        promised = f"{example.points:g}{' (fatal)' if example.fatal else ''}"
        message = f"scores {scored}, should be {promised}: {', '.join(lines) or 'no item was hit'}"
    return Outcome(scheme.scheme_id, number, example.call, found, message)


def run_example(book: RuleBook, compiled: CompiledRule, number: int, example: Example) -> Outcome:
    """One example of one rule."""
    records = timeline(example, encoder=_encoder(book, [compiled.rule.rule_id]))
    found = [one for one in standing(replay(book, records)) if one.rule_id == compiled.rule.rule_id]
    message, started = _difference(example, found), records[0]
    if message and not found and isinstance(started, CallStarted):
        message = "; ".join(filter(None, [message, out_of_scope_because(compiled.rule.scope, started)]))
    return Outcome(compiled.rule.rule_id, number, example, tuple(found), message)


def _encoder(book: RuleBook, rule_ids: list[str]) -> Encoder | None:
    """The encoder for examples of these rules, None when neither they nor those of which they speak need one."""
    names, waiting = set[str](), list(rule_ids)
    while book.meant and waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += mentioned(book.by_id[name].rule.when)
    needed = {rule for leaf in book.meant for rule in book.leaves[leaf].rules}
    return book.encoder if any(book.by_id[name].index in needed for name in names) else None


def _difference(example: Example, found: list[Violation]) -> str:
    """What is not as promised, or ''."""
    if isinstance(example.hit, bool):
        if example.hit == bool(found):
            return ""
        return f"found at {_seconds(found)}, but should not be" if found else "not found, but should be"
    if len(found) != len(example.hit):
        wanted = ", ".join(f"{second:g}" for second in example.hit)
        times = f"found {len(found)} times ({_seconds(found)})" if len(found) > 1 else f"found at {_seconds(found)}"
        return f"{times if found else 'not found'}, should be at {wanted} s"
    open_violations = list(found)
    for second in example.hit:
        fitting = next((one for one in open_violations if _at(one, round(second * 1000), example)), None)
        if fitting is None:
            return f"not found at {second:g} s, but at {_seconds(open_violations)}"
        open_violations.remove(fitting)
    return ""


def _at(violation: Violation, wanted_ms: int, example: Example) -> bool:
    """Whether a violation is where an example says: at its beginning or end, at the beginning of the line that
    triggers it, or at the call time when it is found."""
    lines = [line.start_ms for line in example.lines if line.start_ms <= violation.start_ms < line.end_ms]
    proved_ms = violation.audio_at_ms - example.at_ms
    times = (violation.start_ms, violation.end_ms, violation.call_ms, proved_ms, *lines)
    return any(abs(time - wanted_ms) <= TOLERANCE_MS for time in times)


def _seconds(found: list[Violation]) -> str:
    return ", ".join(f"{violation.start_ms / 1000:g} s" for violation in found)
