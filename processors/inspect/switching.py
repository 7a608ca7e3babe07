"""A running call changes to another version of its rule set, between two utterances. Pure.

Rules that are the same in both versions go on as if nothing had happened. New and changed rules judge what is said from
now on: what they would have found before is not reported any more. Of those, rules that need the whole call are left
out until the next call: whatever is decided by an absence, by the end, or by a measurement that began with the call.
The version of such a state is `NEW~OLD`, from which the same book is made again after a crash.
"""

from __future__ import annotations

from processors.inspect import judgement
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import ParsedRules, Rule, mentioned
from processors.inspect.logic import View, judge, trigger_key
from processors.inspect.operators.base import Encoder, Measuring
from processors.inspect.state import CallState, Emitted

AND_BEFORE = "~"
MOST_VERSIONS = 4
"""Of one call; after that it keeps the last."""


def may_switch(state: CallState) -> bool:
    """Whether no utterance is open, so that nothing is provisional, and the call may change once more."""
    quiet = all(channel.open_no < 0 for channel in state.channels)
    return quiet and state.version.count(AND_BEFORE) < MOST_VERSIONS - 1


def continued(parsed: ParsedRules, new: RuleBook, old: RuleBook, encoder: Encoder | None = None) -> RuleBook:
    """The book for calls that began under `old`: `new` without the rules that need the whole call."""
    known = {(leaf.operator, leaf.role, leaf.word) for leaf in old.leaves}
    timed = {rule for _, rule in new.deadlines}
    out = set()
    for compiled in new.rules:
        late = compiled.at_end or compiled.index in timed
        leaves = [leaf for leaf in new.leaves if compiled.index in leaf.rules]
        measures = any(
            isinstance(leaf.operator, Measuring) and (leaf.operator, leaf.role, leaf.word) not in known
            for leaf in leaves
        )
        if not _same(compiled.rule, old) and (late or measures):
            out.add(compiled.rule.rule_id)
    flows = [flow for flow in parsed.flows if flow in old.flows]
    rules = _without(parsed.rules, out)
    kept = ParsedRules(rules, flows, parsed.schemes, [], parsed.version)
    return compile_book(kept, new.name, new.version, encoder)


def switch(state: CallState, old: RuleBook, new: RuleBook) -> CallState:
    """The state as it fits to `new`, which `continued` made for calls of `old`."""
    places = {(leaf.operator, leaf.role, leaf.word): number for number, leaf in enumerate(new.leaves)}
    leaf_of = {
        number: places[key]
        for number, leaf in enumerate(old.leaves)
        if (key := (leaf.operator, leaf.role, leaf.word)) in places
    }
    rule_of = {
        compiled.index: new.by_id[compiled.rule.rule_id].index for compiled in old.rules if _same(compiled.rule, new)
    }
    memories = {leaf_of[leaf]: memory for leaf, memory in state.memories.items() if leaf in leaf_of}
    hits = {leaf_of[leaf]: found for leaf, found in state.hits.items() if leaf in leaf_of}
    emitted = {rule_of[rule]: keys for rule, keys in state.emitted.items() if rule in rule_of}
    view = View(hits, state.call)
    carried = set(rule_of.values())
    for compiled in new.rules:
        if compiled.index not in carried:
            past = judge(compiled.root, view)
            if past:
                emitted[compiled.index] = {
                    trigger_key(found): Emitted("confirmed", found.start_ms, found.end_ms, "") for found in past
                }
    known_ms = max(state.call.final_until_ms, default=0)
    parts = state.parts
    flows = {flow.flow_id: parts.flows[flow.flow_id] for flow in new.flows if flow.flow_id in parts.flows}
    return state._replace(
        version=f"{new.version}{AND_BEFORE}{state.version}",
        cursor=sum(deadline <= known_ms for deadline, _ in new.deadlines),
        hits=hits,
        agenda={rule_of[rule]: due for rule, due in state.agenda.items() if rule in rule_of},
        emitted=emitted,
        memories=memories,
        parts=parts._replace(flows=flows),
    )


def forget_rules(state: CallState, version: str) -> CallState:
    """The state without anything of its rules, for a book that has none."""
    parts: judgement.Parts = state.parts
    return state._replace(
        version=version, cursor=0, hits={}, agenda={}, emitted={}, memories={}, parts=parts._replace(flows={})
    )


def _same(rule: Rule, book: RuleBook) -> bool:
    other = book.rule(rule.rule_id)
    return other is not None and other.rule.version == rule.version and other.rule.scope == rule.scope


def _without(rules: list[Rule], out: set[str]) -> list[Rule]:
    """Rules that are not in `out` and speak of none that is."""
    out = set(out)
    while True:
        kept = [rule for rule in rules if rule.rule_id not in out and not mentioned(rule.when) & out]
        if len(kept) + len(out) >= len(rules):
            return kept
        out |= {rule.rule_id for rule in rules} - {rule.rule_id for rule in kept}
