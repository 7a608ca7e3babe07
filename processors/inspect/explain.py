"""Why a rule did or did not hit in a call, condition by condition. Pure: records in, an explanation out.

The records go through the engine as they did live; what its rules see at the end is then asked of each condition alone:
where its words or measurements are in the call, which of them count, and which window turns the others away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from processors.inspect import engine
from processors.inspect.book import RuleBook
from processors.inspect.condition_text import seconds, worded
from processors.inspect.logic import Found, Node, View, find, follows, gap_ms, judge
from processors.inspect.operators.base import Hit, TimelineRecord
from processors.inspect.reader import nearest
from processors.inspect.scopes import out_of_scope_because
from processors.inspect.state import CallState
from processors.inspect.tree import Condition, Group
from processors.records import CallEnded, CallStarted, Violation
from processors.runtime.errors import BadRecord, UserError

MOST_PLACES: Final = 12
"""Places of one condition that are told."""


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """One place in the call where a condition is found. Times are call time."""

    start_ms: int
    end_ms: int
    role: str
    quote: str
    value: float | None
    counts: bool
    """Whether it is where the windows of the condition want it."""
    why_not: tuple[str, ...]
    provisional: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One condition: how it is written, whether it holds, where it was found, and what is inside."""

    condition: str
    part: str
    """What it is to the condition around it: '' one of its conditions, after or before an anchor."""
    holds: bool | None
    """None when nobody asked, because another condition failed before; places are then told by themselves."""
    reason: str
    places: tuple[PlaceFound, ...]
    more_places: int
    of: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule and a call."""

    call_id: str
    rule_id: str
    rule_name: str
    rule_version: str
    hit: bool
    reason: str
    ended: bool
    """Whether the call's end is among the records; otherwise it is told as far as it is known."""
    violations: tuple[Violation, ...]
    """Every violation of the rule in its last state, retracted ones as well."""
    when: Told | None
    """None when the rule does not apply to the call."""


def explain(book: RuleBook, records: Iterable[TimelineRecord], rule_id: str) -> Explanation:
    """UserError when there is no such rule, or no beginning of a call among the records."""
    compiled = book.rule(rule_id)
    if compiled is None:
        raise UserError(f"no rule '{rule_id}' in this rule set; {nearest(rule_id, book.by_id)}", 2)
    state, last, outputs = _replayed(book, records)
    view = engine.look(book, state, last)
    found = {one.violation_id: one for one in outputs if isinstance(one, Violation) and one.rule_id == rule_id}
    violations = tuple(found.values())
    hit = any(one.state != "retracted" for one in violations)
    out_of_scope = out_of_scope_because(compiled.rule.scope, view.call)
    when = None if out_of_scope else _Teller(view).told(compiled.rule.when, compiled.root)
    if compiled.hidden:
        reason = "a step of a flow: found, it moves the flow on" if when and when.holds else "a step of a flow"
        hit = when is not None and bool(when.holds)
    else:
        reason = out_of_scope or _reason(violations, hit, bool(judge(compiled.root, view)))
    return Explanation(
        view.call.call_id, rule_id, compiled.rule.name, compiled.rule.version, hit, reason, last is not None,
        violations, when,
    )  # fmt: skip


def _replayed(
    book: RuleBook, records: Iterable[TimelineRecord]
) -> tuple[CallState, CallEnded | None, list[engine.Output]]:
    """The state before the end, the end, and all outputs; of the first run when the call is stored more than once."""
    state: CallState | None = None
    outputs: list[engine.Output] = []
    for position, record in enumerate(records):
        if state is None and not isinstance(record, CallStarted):
            continue
        try:
            after, more = engine.step(book, state, record, position)
        except BadRecord:
            continue
        outputs += more
        if after is None and isinstance(record, CallEnded) and state is not None:
            return state, record, outputs
        state = after
    if state is None:
        raise UserError("the beginning of the call is not stored, so it can not be judged again")
    return state, None, outputs


def _reason(violations: Sequence[Violation], hit: bool, holds: bool) -> str:
    standing = [one for one in violations if one.state != "retracted"]
    if hit:
        times = ", ".join(_clock(one.start_ms) for one in standing)
        return f"hit {len(standing)} time{'s' if len(standing) > 1 else ''}, at {times}"
    if violations:
        return "seen while it was spoken, and taken back when the words were final"
    return "the conditions hold now, but nothing was reported" if holds else "the conditions do not hold together"


class _Teller:
    """Asks each condition of a tree what it finds."""

    def __init__(self, view: View) -> None:
        self._view = View(view.hits, view.call, view.deaf, view.muted)
        self._asked: dict[int, list[tuple[list[Found], Found | None]]] = {}

    def told(self, condition: Condition, root: Node) -> Told:
        """The whole tree."""
        self._view.trace = self._heard
        find(root, self._view)
        self._view.trace = None
        return self._told(condition, root, "")

    def _heard(self, node: Node, founds: Sequence[Found], anchor: Found | None) -> None:
        self._asked.setdefault(id(node), []).append((list(founds), anchor))

    def _told(self, condition: Condition, node: Node, part: str) -> Told:
        asked = self._asked.get(id(node), [])
        holds = any(founds for founds, _ in asked) if asked else None
        places: tuple[PlaceFound, ...] = ()
        if holds is None and isinstance(condition, Group):
            reason = ""
        elif isinstance(condition, Group) and condition.word == "not":
            reason, places = self._absence(node, asked, bool(holds))
        else:
            reason, places = self._presence(node, asked or [(self._everywhere(node), None)])
        if holds is None:
            reason = "; ".join(filter(None, [reason, "not asked, since another condition fails"]))
        of = []
        if isinstance(condition, Group):
            of = [self._told(child, inner, "") for child, inner in zip(condition.of, node.of, strict=True)]
        for name, anchor, inner in (
            ("after", condition.window.after, node.after), ("before", condition.window.before, node.before),
        ):  # fmt: skip
            if anchor is not None and inner is not None:
                of.append(self._told(anchor, inner, name))
        return Told(worded(condition), part, holds, reason, places[:MOST_PLACES], max(0, len(places) - MOST_PLACES),
                    tuple(of))  # fmt: skip

    def _presence(
        self, node: Node, asked: Sequence[tuple[list[Found], Found | None]]
    ) -> tuple[str, tuple[PlaceFound, ...]]:
        everywhere = self._everywhere(node)
        counted = {_key(found) for founds, _ in asked for found in founds}
        anchors = [anchor for _, anchor in asked if anchor is not None]
        places = [
            _place(
                found, _key(found) in counted, () if _key(found) in counted else self._turned_away(node, found, anchors)
            )
            for found in everywhere
        ]
        return ("" if places else self._nothing(node)), tuple(places)

    def _everywhere(self, node: Node) -> list[Found]:
        """Where the condition is found, wherever it may be."""
        view = View(self._view.hits, self._view.call, self._view.deaf, self._view.muted)
        free = replace(
            node, key=-2, first_ms=None, last_ms=None, skip_first_ms=0, skip_last_ms=0, after=None, before=None,
            within_ms=None, within_turns=None,
        )  # fmt: skip
        return sorted(find(free, view), key=lambda found: (found.start_ms, found.end_ms))

    def _nothing(self, node: Node) -> str:
        if node.kind == "leaf":
            return "not found in the call"
        return {"all": "they do not hold together", "sequence": "not in this order and distance"}.get(node.kind, "")

    def _turned_away(self, node: Node, found: Found, anchors: Sequence[Found]) -> tuple[str, ...]:
        why = []
        if node.first_ms is not None and found.start_ms >= node.first_ms:
            why.append(f"not within the first {seconds(node.first_ms)} s")
        elif found.start_ms < node.skip_first_ms:
            why.append(f"before {seconds(node.skip_first_ms)} s of the call")
        if node.last_ms is not None:
            call = self._view.call
            if not call.ended:
                why.append("what the last seconds are is known at the end of the call")
            elif found.start_ms < call.call_ms - node.last_ms:
                why.append(f"not within the last {seconds(node.last_ms)} s")
            elif node.skip_last_ms and found.start_ms >= call.call_ms - node.skip_last_ms:
                why.append(f"less than {seconds(node.skip_last_ms)} s before the end")
        for name, inner in (("after", node.after), ("before", node.before)):
            if inner is not None:
                why += self._order(node, found, name, self._everywhere_of(inner))
        if node.after is None and node.before is None and anchors:
            why += _distance(node, found, anchors)
        return tuple(why)

    def _everywhere_of(self, inner: Node) -> list[Found]:
        view = View(self._view.hits, self._view.call, self._view.deaf, self._view.muted)
        return find(inner, view)

    def _order(self, node: Node, found: Found, name: str, anchors: Sequence[Found]) -> list[str]:
        if not anchors:
            return [f"what it must come {name} is not there"]
        placed = [one for one in anchors if (follows(found, one) if name == "after" else follows(one, found))]
        if not placed:
            return [f"not {name} {_clock(anchors[0].start_ms)}"]
        return _distance(node, found, placed)

    def _absence(
        self, node: Node, asked: Sequence[tuple[list[Found], Found | None]], holds: bool
    ) -> tuple[str, tuple[PlaceFound, ...]]:
        """Of an absence: when it was certain, or what stands in its way."""
        call, inner = self._view.call, self._everywhere(node.of[0])
        if holds:
            gaps = [found.hits[-1][1] for founds, _ in asked for found in founds if found.hits]
            span = ", ".join(f"{_clock(gap.start_ms)} to {_clock(gap.end_ms)}" for gap in gaps[:MOST_PLACES])
            return f"missing {span}", ()
        if node.of[0].leaf in self._view.muted:
            return "that rule does not apply to this call, so it is neither hit nor missed", ()
        anchors = [anchor for _, anchor in asked if anchor is not None]
        for other in (node.after, node.before):
            if other is not None:
                anchors = self._everywhere_of(other)
                if not anchors:
                    return "what it is measured from is not there", ()
        near = [
            found for found in inner
            if not anchors or not all(_distance(node, found, [anchor]) for anchor in anchors)
        ]  # fmt: skip
        near = [
            found for found in near if node.first_ms is None or node.skip_first_ms <= found.start_ms < node.first_ms
        ]
        if near:
            return "it is there, so it is not missing", tuple(_place(found, True, ()) for found in near)
        if self._view.deaf:
            return "nothing of the call was transcribed, so nothing is known to be missing", ()
        if node.role and not call.channels(node.role):
            return f"the call has no channel of the {node.role}", ()
        return "it is not known for good: its time had not passed when the records end", ()


def _key(found: Found) -> tuple[int, int, int, int]:
    hit = found.trigger
    return (
        (found.start_ms, found.end_ms, hit.channel, hit.utterance_no) if hit else (found.start_ms, found.end_ms, -9, -9)
    )


def _distance(node: Node, found: Found, anchors: Sequence[Found]) -> list[str]:
    """What is wrong with the distance to the nearest of the anchors; [] when one is near enough."""
    why = []
    nearest_one = min(anchors, key=lambda anchor: gap_ms(found, anchor))
    if node.within_ms is not None:
        gap = gap_ms(found, nearest_one)
        if gap >= node.within_ms:
            why.append(f"{seconds(gap)} s from {_clock(nearest_one.start_ms)}, not within {seconds(node.within_ms)} s")
    if node.within_turns is not None:
        turns = [
            abs(found.trigger.turn - anchor.trigger.turn)
            for anchor in anchors
            if found.trigger is not None and anchor.trigger is not None
        ]
        if not turns or min(turns) > node.within_turns:
            away = f"{min(turns)} turns away" if turns else "it has no turn"
            why.append(f"{away}, not within {node.within_turns} turns")
    return why


def _place(found: Found, counts: bool, why_not: tuple[str, ...]) -> PlaceFound:
    quotes = list(dict.fromkeys(part.quote for _, hit in found.hits for part in hit.parts if part.quote))
    first: Hit | None = found.trigger or (found.hits[0][1] if found.hits else None)
    value = first.value if first is not None and len(found.hits) == 1 else None
    return PlaceFound(
        found.start_ms, found.end_ms, first.role if first else "", " … ".join(quotes), value, counts, why_not,
        found.provisional,
    )  # fmt: skip


def _clock(call_ms: int) -> str:
    return f"{call_ms // 60_000}:{call_ms % 60_000 / 1000:04.1f}"


_MARKS: Final = {True: "✓", False: "✗", None: "–"}


def lines(explanation: Explanation) -> list[str]:
    """The explanation as indented text."""
    head = f"{explanation.rule_name} ({explanation.rule_id}, version {explanation.rule_version})"
    out = [f"{head} in call {explanation.call_id}: {'HIT' if explanation.hit else 'no hit'}"]
    out.append(f"  {explanation.reason}{'' if explanation.ended else ' (the end of the call is not stored)'}")
    for one in explanation.violations:
        out.append(
            f"  {_clock(one.start_ms)} {one.state}, found at {_clock(one.call_ms)}, violation {one.violation_id}"
        )
    if explanation.when is not None:
        out += _lines(explanation.when, 1)
    return out


def _lines(told: Told, depth: int) -> list[str]:
    pad = "  " * depth
    part = f"{told.part} " if told.part else ""
    out = [f"{pad}{_MARKS[told.holds]} {part}{told.condition}{f': {told.reason}' if told.reason else ''}"]
    for place in told.places:
        what = place.quote or ("" if place.value is None else f"value {place.value:g}")
        seen = " (seen in a partial)" if place.provisional else ""
        why = f": {'; '.join(place.why_not)}" if place.why_not else ""
        mark = "•" if place.counts else "◦"
        span = f"{_clock(place.start_ms)} to {_clock(place.end_ms)}"
        out.append(f"{pad}    {mark} {span} {place.role} {what}".rstrip() + f"{seen}{why}")
    if told.more_places:
        out.append(f"{pad}    and {told.more_places} more")
    for inner in told.of:
        out += _lines(inner, depth + 1)
    return out
