"""What is wrong with a rule file is said with the right place, cause and hint; nothing wrong is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.inspect.language import parse, ruleset_version

EXAMPLES = "examples: [{says: ['agent 1 你好'], hit: true}]\n"
GOOD = "id: a\nwhen: {said: [你好]}\n" + EXAMPLES


def rule(when: str, rest: str = "") -> str:
    """A rule without examples: when stands on line 2 and begins in column 7."""
    return f"id: a\nwhen: {when}\n{rest}"


# ruff: noqa: E501
WRONG = {
    "an unknown operator": (rule("{sayd: [x]}"), 2, 8, "no operator or modifier 'sayd'", "'said'"),
    "an unknown modifier": (rule("{said: [x], within_sec: 3}"), 2, 19, "'within_sec'", "'within_s'"),
    "an unknown key of a rule": ("id: a\nseverty: high\nwhen: {said: [x]}\n", 2, 1, "'severty'", "'severity'"),
    "an unknown key of an operator": (rule("{said: {anny: [x]}}"), 2, 15, "'anny'", "'any'"),
    "an unknown severity": ("id: a\nseverity: hihg\nwhen: {said: [x]}\n", 2, 11, "'hihg'", "'high'"),
    "an unknown role in a scope": ("id: a\nscope: {role: agnet}\nwhen: {said: [x]}\n", 2, 15, "'agnet'", "'agent'"),
    "an unknown role of a condition": (rule("{said: [x], role: costumer}"), 2, 25, "'costumer'", "'customer'"),
    "a role beside an operator with `of`": (
        rule("{rate: {of: agent, more_than: 300}, role: agent}"), 2, 49, "names its speaker itself", "'of'"),
    "an unknown scope": ("id: a\nscope: {scenaro: [x]}\nwhen: {said: [x]}\n", 2, 9, "'scenaro'", "'scenario'"),
    "a date that is none": ("id: a\nscope: {from: 2026-13-01}\nwhen: {said: [x]}\n", 2, 15, "date", ""),
    "an effect that ends before it begins": (
        "id: a\nscope: {from: 2026-02-01, until: 2026-01-01}\nwhen: {said: [x]}\n", 2, 34, "never applies", ""),
    "two operators in one condition": (
        rule("{said: [x], silence: {of: line, at_least_s: 3}}"), 2, 19, "'said' and 'silence'", "'all' or 'any'"),
    "a condition without an operator": (rule("{role: agent}"), 2, 7, "without an operator", "said"),
    "a condition that is a word": (rule("said"), 2, 7, "must be a mapping", "said: [...]"),
    "a rule without `when`": ("id: a\n", 1, 1, "needs 'when'", ""),
    "a rule without `id`": ("when: {said: [x]}\n", 1, 1, "needs 'id'", ""),
    "an id with a slash": ("id: a/b\nwhen: {said: [x]}\n", 1, 5, "letters, digits", ""),
    "the same id twice": (GOOD + "---\n" + GOOD, 5, 5, "exists already at r.yaml:1:5", ""),
    "a bracket that is not closed in an expression": (rule("{matches: {regex: 'ab(c'}}"), 2, 28, "(character 3)", ""),
    "a bad character class": (rule("{matches: {regex: '[z-a]'}}"), 2, 27, "bad regular expression", ""),
    "a look-ahead": (rule("{matches: {regex: 'x(?=b)'}}"), 2, 27, "'(?='", "'without'"),
    "a look-behind": (rule("{matches: '(?<!b)x'}"), 2, 18, "'(?<!'", "'without'"),
    "a back-reference": (rule(r"{matches: '(a)b\1'}"), 2, 22, r"'\1'", ""),
    "an expression that matches nothing": (rule("{matches: 'a*'}"), 2, 17, "empty text", ""),
    "an expression that is too long": (rule("{matches: '" + "a" * 501 + "'}"), 2, 17, "501 characters", ""),
    "an expression with a huge repetition": (rule("{matches: 'a{5000}'}"), 2, 19, "repetition", ""),
    "an empty list of phrases": (rule("{said: {any: []}}"), 2, 20, "is empty", ""),
    "a phrase instead of a list": (rule("{said: {any: 你好}}"), 2, 20, "must be a list", "[你好]"),
    "a phrase without a sound": (rule("{said: [。]}"), 2, 15, "no character that can be heard", ""),
    "an empty phrase": (rule("{said: ['']}"), 2, 15, "is empty", ""),
    "a phrase that is too long": (rule("{said: [" + "你" * 61 + "]}"), 2, 15, "61 characters", ""),
    "two kinds of said": (rule("{said: {any: [x], all: [y]}}"), 2, 14, "exactly one of", ""),
    "at_least without of": (rule("{said: {any: [x], at_least: 2}}"), 2, 35, "goes with 'of'", ""),
    "at_least over the number of phrases": (rule("{said: {at_least: 3, of: [x, y]}}"), 2, 25, "only 2 phrases", ""),
    "an unknown confusion pair": (rule("{said: {any: [x], homophones: [zh/s]}}"), 2, 38, "'zh/s'", "z/zh"),
    "at_least over the number of conditions": (
        rule("{at_least: {n: 3, of: [{said: [x]}, {said: [y]}]}}"), 2, 22, "only 2 conditions", ""),
    "a word where a number belongs": ("id: a\npoints: many\nwhen: {said: [x]}\n", 2, 9, "must be a number", ""),
    "a number in quotes": (rule("{must_say: [x], first_s: '3'}"), 2, 32, "must be a number", ""),
    "a word where true belongs": ("id: a\nfatal: maybe\nwhen: {said: [x]}\n", 2, 8, "true or false", ""),
    "a negative window": (rule("{must_say: [x], first_s: -3}"), 2, 32, "above 0", ""),
    "a window of nothing": (rule("{said: [x], last_s: 0}"), 2, 27, "above 0", ""),
    "a window longer than a day": (rule("{said: [x], first_s: 90000}"), 2, 28, "at most 86400", ""),
    "half a turn": (rule("{all: [{said: [x]}, {said: [y], within_turns: 1.5}]}"), 2, 53, "whole number", ""),
    "a distance from nothing": (rule("{said: [x], within_s: 3}"), 2, 29, "nothing to measure it from", "'after'"),
    "a distance of the first condition of an all": (
        rule("{all: [{said: [x], within_s: 3}, {said: [y]}]}"), 2, 36, "nothing to measure it from", ""),
    "first and last at once": (rule("{said: [x], first_s: 3, last_s: 4}"), 2, 39, "contradict", ""),
    "two windows that contradict each other": (
        rule("{all: [{said: [x]}, {not: {said: [y], within_s: 3}, within_s: 4}]}"), 2, 27, "contradict", ""),
    "after and before the same": (rule("{said: [x], after: {said: [y]}, before: {said: [y]}}"), 2, 7, "never hold", ""),
    "a window of a fact about the call": (
        rule("""{attribute: 'attributes.vip == "1"', first_s: 3}"""), 2, 7, "no place in the call", ""),
    "an absence in any": (rule("{any: [{not: {said: [x]}}, {said: [y]}]}"), 2, 14, "directly in 'any'", "'all'"),
    "an empty all": (rule("{all: []}"), 2, 13, "is empty", ""),
    "an unknown rule": (GOOD + "---\nid: b\nwhen: {rule: {hit: aa}}\n" + EXAMPLES, 6, 20, "no rule 'aa'", "'a'"),
    "rules in a circle": (
        "id: a\nwhen: {rule: {hit: b}}\n---\nid: b\nwhen: {rule: {missed: a}}\n", 2, 20, "a -> b -> a", ""),
    "hit and missed at once": (rule("{rule: {hit: a, missed: b}}"), 2, 14, "exactly one", ""),
    "points and fatal": ("id: a\npoints: -3\nfatal: true\nwhen: {said: [x]}\n", 2, 9, "exclude each other", ""),
    "an unknown intent": (rule("{intent: {is: [complant]}}"), 2, 22, "'complant'", "'complaint'"),
    "an unknown kind of entity": (rule("{entity: {kind: [idcard]}}"), 2, 24, "'idcard'", "'id_card'"),
    "a bound on a number without a value": (
        rule("{entity: {kind: [phone], more_than: 3}}"), 2, 43, "amount and rate", ""),
    "an unknown emotion": (rule("{emotion: {of: customer, label: angri}}"), 2, 39, "'angri'", "'angry'"),
    "a broken expression over attributes": (rule("{attribute: 'attributes.vip == '}"), 2, None, "expression", ""),
    "near without a distance": (rule("{near: {words: [x, y]}}"), 2, 14, "'chars', 'seconds' and 'turns'", ""),
    "near with one word": (rule("{near: {words: [x], chars: 3}}"), 2, 22, "2 to 5 words", ""),
    "repeated once": (rule("{repeated: {times: 1, like: [x]}}"), 2, 26, "at least 2", ""),
    "repeated by phrases and by similarity": (
        rule("{repeated: {times: 2, like: [x], similarity: 0.9}}"), 2, 52, "not by both", ""),
    "a sequence of one": (rule("{sequence: [{said: [x]}]}"), 2, 18, "at least 2", ""),
    "a sequence that begins with an absence": (
        rule("{sequence: [{not: {said: [x]}}, {said: [y]}]}"), 2, 18, "begins with an absence", ""),
    "must_say none": (rule("{must_say: {none: [x]}}"), 2, 18, "says nothing", ""),
    "an unknown key of an alert": (rule("{said: [x]}", "alert: {min_hit: 3}\n"), 3, 9, "'min_hit'", "'min_hits'"),
    "a line without a time": (rule("{said: [x]}", "examples: [{says: ['agent x'], hit: true}]\n"), 3, 20, "no time", ""),
    "a line of nobody": (
        rule("{said: [x]}", "examples: [{says: ['agnt 1 你好'], hit: true}]\n"), 3, 20, "'agnt'", "'agent'"),
    "a line that ends before it begins": (
        rule("{said: [x]}", "examples: [{says: ['agent 3-2 你好'], hit: true}]\n"), 3, 20, "ends before", ""),
    "a line that says nothing": (
        rule("{said: [x]}", "examples: [{says: ['agent 3'], hit: true}]\n"), 3, 20, "says nothing", ""),
    "an unknown measurement": (
        rule("{said: [x]}", "examples: [{says: ['agent 3 {level: 3} 你好'], hit: true}]\n"), 3, 20, "'level'", "level_db"),
    "a hit that is a word": (
        rule("{said: [x]}", "examples: [{says: ['agent 3 你好'], hit: maybe}]\n"), 3, 40, "'hit' must be", ""),
    "an example without hit": (rule("{said: [x]}", "examples: [{says: ['agent 3 你好']}]\n"), 3, 12, "needs 'hit'", ""),
    "a call that ends in the middle of a line": (
        rule("{said: [x]}", "examples: [{says: ['agent 3-9 你好', 'end 5'], hit: true}]\n"), 3, 19, "ends before", ""),
    "two lines of one speaker at once": (
        rule("{said: [x]}", "examples: [{says: ['agent 3-9 你好', 'agent 5 你好'], hit: true}]\n"), 3, 19, "two lines", ""),
    "a key twice": ("id: a\nid: b\nwhen: {said: [x]}\n", 2, 1, "stands twice", ""),
    "a list instead of a rule": ("- id: a\n", 1, 1, "must be a mapping", "---"),
    "an open bracket": ("id: a\nwhen: {said: [x\n", 3, 1, "not valid YAML", ""),
    "a tab": ("id: a\nwhen:\n\tsaid: [x]\n", 3, 1, "a tab", ""),
    "an alias without an anchor": ("id: a\nwhen: *x\n", 2, 7, "no anchor", ""),
    "a tag of Python": ("id: !!python/name:os.system a\n", 1, 5, "not supported", ""),
    "a control character": ("id: a\x07\n", 1, 6, "not allowed", ""),
    "a file that is not UTF-8": (b"id: a\nname: \xc4\xe3\n", 2, 7, "not UTF-8", "UTF-8"),
    "an empty file": ("", 1, 1, "is empty", ""),
    "conditions nested too deep": (rule("{not: " * 14 + "{said: [x]}" + "}" * 14), 2, None, "nested deeper", ""),
    "brackets nested too deep": ("id: " + "[" * 200, 1, None, "nested deeper", ""),
    "aliases that explode": (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{k}: &{k} [{','.join([f'*{p}'] * 10)}]\n" for p, k in zip("abcdefg", "bcdefgh", strict=True)),
        6, 4, "aliases", ""),
    "too many conditions": (rule("{any: [" + "{said: [x]}," * 250 + "]}"), 2, None, "more than 200", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_refuses(what: str) -> None:
    """The right place, the cause, and a hint where there is one."""
    text, line, column, cause, hint = WRONG[what]
    problems = parse({"r.yaml": text}).errors
    fitting = [p for p in problems if cause in p.message and hint in f"{p.hint} {p.message}"]
    assert fitting, [str(p) for p in problems]
    assert fitting[0].line == line, str(fitting[0])
    assert column is None or fitting[0].column == column, str(fitting[0])


def test_one_check_shows_all_mistakes_of_all_files() -> None:
    """Three mistakes in two files are three problems, in the order of the files."""
    parsed = parse({"b.yaml": "id: b\npoints: x\nseverity: y\nwhen: {said: [x]}\n", "a.yaml": rule("{sed: [x]}")})
    assert [(p.file, p.line) for p in parsed.errors] == [("a.yaml", 2), ("b.yaml", 2), ("b.yaml", 3)]


def test_a_rule_without_examples_is_only_warned_of() -> None:
    """It can be used, but not be published."""
    parsed = parse({"r.yaml": rule("{said: [x]}")})
    assert not parsed.errors
    assert [p.warning for p in parsed.problems] == [True]


def test_files_and_their_names_make_the_version() -> None:
    """Any change of a file or of a name changes it; the order does not."""
    one = ruleset_version({"a.yaml": "x", "b.yaml": b"y"})
    assert one == ruleset_version({"b.yaml": "y", "a.yaml": "x"})
    assert len({one, ruleset_version({"a.yaml": "xb.yaml", "": "y"}), ruleset_version({"a.yaml": "x"})}) == 3


def test_examples_do_not_change_the_version_of_a_rule() -> None:
    """They prove it; they do not judge."""
    with_examples = parse({"r.yaml": GOOD}).rules[0].version
    without = parse({"r.yaml": "id: a\nwhen: {said: [你好]}\n"}).rules[0].version
    other = parse({"r.yaml": "id: a\nwhen: {said: [您好]}\n"}).rules[0].version
    assert with_examples == without != other


WORDS = [*"{}[]:,-&*!|>'\"#%@`\t\n ", "id", "when", "said", "any", "not", "all", "within_s", "matches", "regex", "(", "?",
         "examples", "says", "hit", "agent 1 你好", "flow", "scheme", "steps", "---", "1", "-3", "true", "null", "rule",
         "alert", "scope", "attribute", "entity", "kind", "near", "words", "sequence", "must_say", "first_s", "\x00", "😀"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join))
def test_no_text_makes_a_traceback(text: str) -> None:
    """Scrambled words of the language are refused or accepted, never more."""
    parse({"r.yaml": text})


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_a_traceback(data: bytes) -> None:
    """Nor does any file that is no text."""
    parse({"r.yaml": data})


FRAGMENTS = st.recursive(
    st.sampled_from(["x", "1", "-2", "true", "''", "[你好]", "{any: [你好]}", "agent", "~", "'(a'", "0.5"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(st.sampled_from([w for w in WORDS if w.isidentifier()] + ["of", "is", "n", "at_least", "times"]),
                        inner, max_size=4).map(lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in d.items()) + "}"),
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(FRAGMENTS, FRAGMENTS, FRAGMENTS)
def test_no_structure_makes_a_traceback(when: str, alert: str, examples: str) -> None:
    """Well-formed YAML with anything anywhere."""
    parse({"r.yaml": f"id: a\nwhen: {when}\nalert: {alert}\nexamples: {examples}\nscope: {alert}\n"})
    parse({"r.yaml": f"flow: {when}\nsteps: {examples}\nscope: {alert}\n"})
    parse({"r.yaml": f"scheme: a\ndimensions: {examples}\nitems: {when}\n"})
