"""Two rule sets side by side, compiled so that what is written alike in both is judged once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import ParsedRules, Rule, mentioned
from processors.inspect.operators.base import Encoder
from processors.inspect.schemes import Scheme
from processors.inspect.tree import Condition, Group, RuleHit

NEW: Final = "\0new"
"""Name, while they are judged, of rules that are new or changed. YAML can not write it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rule sets, compiled so that nothing is judged twice."""

    both: RuleBook
    """The old set, and those rules of the new one that are not the same in it, under the name NEW."""
    flows: RuleBook
    """Flows of the new set that are not the same in the old one, and the rules that they speak of."""
    same: frozenset[str]
    """Rules and flows that are the same in both."""
    old_schemes: tuple[Scheme, ...]
    new_schemes: tuple[Scheme, ...]
    names: Mapping[str, str]
    """Names of the rules and flows of both sets; the new one where it was changed."""
    old_version: str
    new_version: str


def split(old: ParsedRules, new: ParsedRules, name: str, encoder: Encoder | None = None) -> Pair:
    """Compile both. UserError when one has mistakes."""
    for parsed in (old, new):
        if parsed.errors:
            compile_book(parsed, name)  # which says what they are
    old_rules = {rule.rule_id: rule for rule in old.rules}
    new_rules = {rule.rule_id: rule for rule in new.rules}
    same = {rule_id for rule_id, rule in new_rules.items() if _alike(rule, old_rules.get(rule_id))}
    while (kept := {rule_id for rule_id in same if mentioned(new_rules[rule_id].when) <= same}) != same:
        same = kept  # a rule that speaks of a changed one has changed as well
    versions = {flow.flow_id: flow.version for flow in old.flows}
    spoken_of = {
        flow.flow_id: set[str]().union(*(mentioned(one) for one in flow.conditions().values())) for flow in new.flows
    }
    same_flows = {
        flow.flow_id
        for flow in new.flows
        if versions.get(flow.flow_id) == flow.version and spoken_of[flow.flow_id] <= same
    }
    flows = [flow for flow in new.flows if flow.flow_id not in same_flows]
    flow_book = compile_book(ParsedRules(new.rules if flows else [], flows, version=new.version), name, encoder=encoder)
    flow_book.verdicts_only = True
    names = {flow.flow_id: flow.name for flow in (*old.flows, *new.flows)}
    names |= {rule.rule_id: rule.name for rule in (*old.rules, *new.rules)}
    return Pair(
        _joined(old, [rule for rule in new.rules if rule.rule_id not in same], name, encoder),
        flow_book,
        frozenset(same | same_flows),
        tuple(old.schemes),
        tuple(new.schemes),
        names,
        old.version,
        new.version,
    )


def _alike(rule: Rule, other: Rule | None) -> bool:
    return other is not None and other.version == rule.version and other.scope == rule.scope


def _joined(old: ParsedRules, changed: list[Rule], name: str, encoder: Encoder | None) -> RuleBook:
    """The old rules and the changed ones side by side; the latter keep their ids, so that their violations do, too."""
    aside = {rule.rule_id: f"{rule.rule_id}{NEW}" for rule in changed}
    more = [replace(rule, rule_id=aside[rule.rule_id], when=_speaking_of(rule.when, aside)) for rule in changed]
    book = compile_book(ParsedRules([*old.rules, *more], old.flows, version=old.version), name, encoder=encoder)
    book.verdicts_only = True
    own = {f"{rule.rule_id}{NEW}": replace(rule, name=NEW, explain=rule.explain or rule.name) for rule in changed}
    book.rules = [replace(one, rule=own.get(one.rule.rule_id, one.rule)) for one in book.rules]
    return book


def _speaking_of(condition: Condition, names: Mapping[str, str]) -> Condition:
    """The condition, with other names for the rules of which it speaks."""
    window = condition.window
    after = None if window.after is None else _speaking_of(window.after, names)
    before = None if window.before is None else _speaking_of(window.before, names)
    condition = replace(condition, window=replace(window, after=after, before=before))
    if isinstance(condition, RuleHit):
        return replace(condition, rule_id=names.get(condition.rule_id, condition.rule_id))
    if isinstance(condition, Group):
        return replace(condition, of=tuple(_speaking_of(child, names) for child in condition.of))
    return condition
