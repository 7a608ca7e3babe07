"""Logic, windows and absence: where a rule holds, as a pure function of hits and of how far the call is known.

`judge` evaluates a compiled tree over the hits that its leaves have so far. Nothing is remembered between evaluations;
what is still open tells when to look again (`View.due_ms`, `View.due_turn`). How the words are meant is in README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from processors.inspect.operators.base import Call, Hit

MAX_FOUND: Final = 64
"""Most hits of one condition that are combined with others."""
MAX_STEPS: Final = 50_000
"""Most combinations of one evaluation; beyond it the rest of the call's hits of the rule is left out."""


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled condition."""

    kind: str
    """leaf, all, any, not, at_least, sequence or repeated."""
    leaf: int = -1
    of: tuple[Node, ...] = ()
    n: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    skip_first_ms: int = 0
    skip_last_ms: int = 0
    after: Node | None = None
    before: Node | None = None
    within_ms: int | None = None
    within_turns: int | None = None
    step_ms: int | None = None
    step_turns: int | None = None
    primary: int = 0
    """Of `all`: the condition from which distances are measured and each of whose hits is judged for itself."""
    role: str = ""
    """Whose transcript an absence waits for."""
    lag_ms: int = 0
    """How long after its start a hit may become known."""
    key: int = -1
    """The same for conditions written alike."""
    word: str = ""
    """Operator, for evidence."""
    placed: bool = True
    """False: a fact about the call as a whole, whose time says nothing."""


class Found(NamedTuple):
    """A condition holds here."""

    start_ms: int
    end_ms: int
    proved_ms: int
    """Call time of the audio that proved it: the end of the words, or the deadline of an absence."""
    trigger: Hit | None
    """The hit with which it begins; None for an absence in the call as a whole."""
    hits: tuple[tuple[str, Hit], ...]
    """(operator, hit), the proof."""
    provisional: bool = False
    once: bool = False
    """There is at most one in a call."""
    placed: bool = True
    """False: its time says nothing about where a rule holds."""


@dataclass(slots=True)
class View:
    """What an evaluation may see, and what it leaves open."""

    hits: Mapping[int, Sequence[Hit]]
    call: Call
    deaf: bool = False
    """Nothing of the call was transcribed: an absence proves nothing."""
    muted: frozenset[int] = frozenset()
    """Leaves of rules that do not apply to the call: neither hit nor missed."""
    due_ms: int | None = None
    due_turn: int | None = None
    steps: int = 0
    settled: bool = False
    """Look at finished utterances only."""
    passed_over: bool = False
    """Whether something was left out because it was only seen in a partial."""
    trace: Callable[[Node, Sequence[Found], Found | None], None] | None = field(default=None, repr=False)
    """Told of each condition that was evaluated, for `explain`."""

    def wait(self, due_ms: int) -> None:
        """Look again when everything before `due_ms` is known."""
        self.due_ms = due_ms if self.due_ms is None else min(self.due_ms, due_ms)

    def wait_turn(self, turn: int) -> None:
        """Look again when this turn has come."""
        self.due_turn = turn if self.due_turn is None else min(self.due_turn, turn)


Bound = Mapping[int, Found]


def judge(root: Node, view: View) -> list[Found]:
    """Where the rule holds now: at most once for each utterance that triggers it, in the order of time.

    Certain is what finished utterances alone say, so that what was seen in a partial, and may be taken back, changes
    nothing about it; whatever holds only with partials is provisional.
    """
    view.settled = True
    certain = _merged(find(root, view))
    view.settled = False
    if not view.passed_over:
        return list(certain.values())
    view.steps = 0
    for key, found in _merged(find(root, view)).items():
        certain.setdefault(key, found if found.provisional else found._replace(provisional=True))
    return sorted(certain.values(), key=lambda one: (one.start_ms, one.end_ms))


def _merged(founds: list[Found]) -> dict[str, Found]:
    merged: dict[str, Found] = {}
    for found in sorted(founds, key=lambda one: (one.start_ms, one.end_ms)):
        key = trigger_key(found)
        known = merged.get(key)
        merged[key] = found if known is None else _joined(known, found)
    return merged


def trigger_key(found: Found) -> str:
    """What makes a hit of a rule the same one, whenever it is found."""
    if found.once:
        return "once"
    hit = found.trigger
    if hit is not None and hit.utterance_no >= 0:
        return f"{hit.channel}/{hit.utterance_no}"
    return str(found.start_ms if hit is None else hit.start_ms)


def find(node: Node, view: View, anchor: Found | None = None, bound: Bound | None = None) -> list[Found]:
    """Everywhere the condition holds. `anchor` is what distances refer to; `bound` are conditions that mean one hit."""
    bound = bound or {}
    view.steps += 1
    if view.steps > MAX_STEPS:
        return []
    if node.key in bound:
        return [bound[node.key]]
    if node.kind == "not":
        founds = _absent(node, view, anchor, bound)
    else:
        founds = _placed(node, _core(node, view, anchor, bound), view, anchor, bound)
    if view.trace is not None:
        view.trace(node, founds, anchor)
    return founds[:MAX_FOUND]


def _core(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    match node.kind:
        case "leaf":
            hits = view.hits.get(node.leaf, ())
            if view.settled and any(hit.provisional for hit in hits):
                view.passed_over = True
                hits = [hit for hit in hits if not hit.provisional]
            return [
                Found(
                    hit.start_ms, hit.end_ms, hit.end_ms, hit, ((node.word, hit),), hit.provisional, placed=node.placed
                )
                for hit in hits
            ]
        case "all":
            return _all(node, view, anchor, bound)
        case "any":
            return [found for child in node.of for found in find(child, view, anchor, bound)]
        case "at_least":
            return _at_least(node, view, anchor, bound)
        case "sequence":
            return _sequence(node, view, anchor, bound)
        case _:
            return _repeated(node, view, anchor, bound)


def _placed(node: Node, founds: list[Found], view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    """Those that stand where the windows of the condition want them."""
    if node.first_ms is not None:
        founds = [found for found in founds if node.skip_first_ms <= found.start_ms < node.first_ms]
    if node.last_ms is not None:
        begin, end = _last(node, view)
        founds = [found for found in founds if begin <= found.start_ms < end] if view.call.ended else []
    if node.after is not None:
        anchors = find(node.after, view, None, bound)
        founds = _near(founds, anchors, lambda found, to: follows(found, to) and _close(node, found, to))
    if node.before is not None:
        anchors = find(node.before, view, None, bound)
        founds = _near(founds, anchors, lambda found, to: follows(to, found) and _close(node, found, to))
    if node.after is None and node.before is None and anchor is not None:
        founds = [found for found in founds if _close(node, found, anchor)]
    return founds


def _last(node: Node, view: View) -> tuple[int, int]:
    """Call time [from, to) of the position counted from the end; what begins at the very end is inside."""
    end_ms = view.call.call_ms - node.skip_last_ms
    return max(0, view.call.call_ms - (node.last_ms or 0)), end_ms + (not node.skip_last_ms)


def _near(founds: list[Found], anchors: list[Found], fits: Callable[[Found, Found], bool]) -> list[Found]:
    kept = []
    for found in founds:
        fitting = [anchor for anchor in anchors if fits(found, anchor)]
        if fitting:
            nearest = min(fitting, key=lambda anchor: gap_ms(found, anchor))
            kept.append(_with(found, [nearest]))
    return kept


def follows(later: Found, earlier: Found) -> bool:
    """Whether one begins after the other has ended, or at least begins and ends later."""
    return later.start_ms >= earlier.end_ms or (later.start_ms > earlier.start_ms and later.end_ms > earlier.end_ms)


def gap_ms(one: Found, other: Found) -> int:
    """Call time between two hits; 0 when they touch or overlap."""
    return max(0, one.start_ms - other.end_ms, other.start_ms - one.end_ms)


def _close(node: Node, one: Found, other: Found) -> bool:
    return _within(one, other, node.within_ms, node.within_turns)


def _within(one: Found, other: Found, within_ms: int | None, within_turns: int | None) -> bool:
    """Windows are half open: a hit that begins exactly `within_ms` after the end of the other is outside."""
    if within_ms is not None and gap_ms(one, other) >= within_ms:
        return False
    if within_turns is not None:
        if one.trigger is None or other.trigger is None:
            return False
        return abs(one.trigger.turn - other.trigger.turn) <= within_turns
    return True


def _with(found: Found, others: Iterable[Found]) -> Found:
    """A hit with more proof; its trigger stays."""
    start_ms, end_ms, proved_ms = found.start_ms, found.end_ms, found.proved_ms
    hits, provisional = dict.fromkeys(found.hits), found.provisional
    for other in others:
        if other.trigger is not None and other.placed:
            start_ms, end_ms = min(start_ms, other.start_ms), max(end_ms, other.end_ms)
        proved_ms = max(proved_ms, other.proved_ms)
        hits.update(dict.fromkeys(other.hits))
        provisional = provisional or other.provisional
    proof = tuple(sorted(hits, key=lambda one: (one[1].start_ms, one[1].end_ms, one[0])))
    return Found(start_ms, end_ms, proved_ms, found.trigger, proof, provisional, found.once, found.placed)


def _joined(first: Found, second: Found) -> Found:
    """Two hits of a rule with one trigger: certain when one of them is."""
    if first.provisional != second.provisional:
        return second if first.provisional else first
    proved = min(first.proved_ms, second.proved_ms)
    both = _with(first, [second])
    return both._replace(proved_ms=proved)


# Groups


def _all(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    primary = node.of[node.primary]
    others = [child for index, child in enumerate(node.of) if index != node.primary]
    founds = []
    for first in find(primary, view, anchor, bound):
        inside = {**bound, primary.key: first}
        parts: list[Found] = []
        for child in others:
            candidates = find(child, view, first, inside)
            if not candidates:
                break
            parts.append(min(candidates, key=lambda found: (found.provisional, gap_ms(found, first), found.start_ms)))
        else:
            founds.append(_with(first, parts))
    return founds


def _at_least(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    earliest = []
    for child in node.of:
        founds = find(child, view, anchor, bound)
        if founds:
            earliest.append(min(founds, key=lambda found: (found.provisional, found.start_ms, found.end_ms)))
    if len(earliest) < node.n:
        return []
    first, *others = sorted(earliest, key=lambda found: (found.provisional, found.start_ms, found.end_ms))[: node.n]
    one = _with(first, others)
    return [one._replace(once=True)]


def _sequence(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    best: dict[tuple[str, int], Found] = {}
    for first in find(node.of[0], view, anchor, bound):
        chain = _chain(node, view, first, bound)
        if chain is not None:
            last = chain[-1]
            best[trigger_key(last), last.end_ms] = _with(first, chain[1:])  # the latest beginning with this end
    return list(best.values())


def _chain(node: Node, view: View, first: Found, bound: Bound) -> list[Found] | None:
    """The earliest continuation of `first` through all steps."""
    chain = [first]
    missing: Node | None = None
    for step in node.of[1:]:
        if step.kind == "not":
            missing = step
            continue
        before = chain[-1]
        following = [
            found
            for found in find(step, view, before, bound)
            if follows(found, before) and (step.within_ms or step.within_turns or _stepped(node, found, before))
        ]
        if not following:
            return None
        found = min(following, key=lambda one: (one.start_ms, one.end_ms))
        if missing is not None and not _nothing_between(missing, view, before, found, bound):
            return None
        missing = None
        chain.append(found)
    if missing is not None:
        within_ms = node.step_ms if missing.within_ms is None else missing.within_ms
        turns = node.step_turns if missing.within_turns is None else missing.within_turns
        absent = _absent_at(missing, view, chain[-1], bound, "after", within_ms, turns)
        if absent is None:
            return None
        chain[-1] = _with(chain[-1], [absent])
    return chain


def _stepped(node: Node, found: Found, before: Found) -> bool:
    return _within(found, before, node.step_ms, node.step_turns)


def _nothing_between(node: Node, view: View, before: Found, after: Found, bound: Bound) -> bool:
    if any(follows(found, before) and follows(after, found) for found in find(node.of[0], view, before, bound)):
        return False
    return _known_until(node, view, after.start_ms)


def _repeated(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    utterances: dict[str, Found] = {}
    for found in sorted(find(node.of[0], view, anchor, bound), key=lambda one: (one.start_ms, one.end_ms)):
        utterances.setdefault(trigger_key(found), found)
    founds, group = [], list[Found]()
    for found in utterances.values():
        group = [one for one in group if node.step_ms is None or found.start_ms - one.end_ms < node.step_ms]
        group.append(found)
        if len(group) == node.n:
            founds.append(_with(group[0], group[1:]))
            group = []
    return founds


# Absence


def _absent(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    """Where the condition inside `not` is missing for good."""
    if node.of[0].leaf in view.muted:
        return []
    if node.after is not None or node.before is not None:
        direction = "after" if node.after is not None else "before"
        source = node.after or node.before
        assert source is not None
        anchors = find(source, view, None, bound)
        found = (_absent_at(node, view, one, bound, direction, node.within_ms, node.within_turns) for one in anchors)
        return [one for one in found if one is not None]
    if anchor is not None and (node.within_ms is not None or node.within_turns is not None):
        one = _absent_at(node, view, anchor, bound, "around", node.within_ms, node.within_turns)
        return [] if one is None else [one]
    return _absent_in_call(node, view, anchor, bound)


def _absent_in_call(node: Node, view: View, anchor: Found | None, bound: Bound) -> list[Found]:
    call = view.call
    start_ms, end_ms = node.skip_first_ms, node.first_ms
    if node.last_ms is not None:
        if not call.ended:
            return []
        start_ms, end_ms = _last(node, view)
    for found in find(node.of[0], view, anchor, bound):
        if found.start_ms >= start_ms and (end_ms is None or found.start_ms < end_ms):
            return []
    if not _known_until(node, view, end_ms):
        return []
    until_ms = call.call_ms if end_ms is None else min(end_ms, max(call.call_ms, 1))
    if until_ms <= start_ms and start_ms > 0:
        return []  # the call was too short to have such a place
    return [Found(start_ms, until_ms, until_ms, None, ((node.word, Hit(start_ms, until_ms, role=node.role)),))]


def _absent_at(
    node: Node,
    view: View,
    anchor: Found,
    bound: Bound,
    direction: str,
    within_ms: int | None,
    within_turns: int | None,
) -> Found | None:
    """The absence around one hit: nothing of the kind before, after, or on either side of it."""
    for found in find(node.of[0], view, anchor, bound):
        if direction == "after" and not follows(found, anchor):
            continue
        if direction == "before" and not follows(anchor, found):
            continue
        if not _within(found, anchor, within_ms, within_turns):
            continue
        if node.first_ms is not None and not node.skip_first_ms <= found.start_ms < node.first_ms:
            continue
        return None
    call = view.call
    if direction == "before":
        until_ms: int | None = anchor.start_ms
    elif within_ms is not None:
        until_ms = anchor.end_ms + within_ms
    else:
        until_ms = None
    turn_passed = True
    if within_turns is not None and direction != "before" and anchor.trigger is not None:
        turn_passed = call.ended or call.turn > anchor.trigger.turn + within_turns
        if not turn_passed:
            view.wait_turn(anchor.trigger.turn + within_turns + 1)
        elif until_ms is None:
            until_ms = min(call.call_ms, max(call.frontier_ms(node.role), anchor.end_ms))
    if not _known_until(node, view, until_ms) or not turn_passed:
        return None
    start_ms = max(0, anchor.start_ms - within_ms) if direction != "after" and within_ms is not None else anchor.end_ms
    if direction == "before" and within_ms is None:
        start_ms = 0
    deadline_ms = call.call_ms if until_ms is None else min(until_ms, call.call_ms) if call.ended else until_ms
    deadline_ms = max(deadline_ms, anchor.start_ms)
    gap = Hit(min(start_ms, deadline_ms), deadline_ms, role=node.role)
    proof = (*anchor.hits, (node.word, gap))
    return Found(
        anchor.start_ms, anchor.end_ms, max(deadline_ms, anchor.proved_ms), anchor.trigger, proof, anchor.provisional
    )


def _known_until(node: Node, view: View, until_ms: int | None) -> bool:
    """Whether everything that begins before `until_ms` (None: in the whole call) is known; else look again then."""
    call = view.call
    if view.deaf or (node.role and not call.channels(node.role)):
        return False
    if call.ended:
        return call.call_ms > 0
    if until_ms is None:
        return False
    due_ms = until_ms + node.lag_ms
    if call.frontier_ms(node.role) >= due_ms:
        return True
    view.wait(due_ms)
    return False
