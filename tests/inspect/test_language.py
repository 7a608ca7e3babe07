"""Rule files as a whole: all mistakes at once, versions by content, and no text that ends the program."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.inspect.language import parse, ruleset_version
from processors.inspect.operators.attribute import check, holds
from tests.inspect.measuring import start
from tests.inspect.timeline import started

EXAMPLES = "examples: [{says: ['agent 1 你好'], hit: true}]\n"
GOOD = "id: a\nwhen: {said: [你好]}\n" + EXAMPLES


def rule(when: str, rest: str = "") -> str:
    """A rule without examples: when stands on line 2 and begins in column 7."""
    return f"id: a\nwhen: {when}\n{rest}"


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


WORDS = [*"{}[]:,-&*!|>'\"#%@`\t\n ", "id", "when", "said", "any", "not", "all", "within_s", "matches", "regex", "(",
         "?", "examples", "says", "hit", "agent 1 你好", "flow", "scheme", "steps", "---", "1", "-3", "true", "null",
         "rule", "alert", "scope", "attribute", "entity", "kind", "near", "words", "sequence", "must_say", "first_s",
         "\x00", "😀"]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join))
def test_no_text_makes_a_traceback(text: str) -> None:
    """Scrambled words of the language are refused or accepted, never more."""
    parse({"r.yaml": text})


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_no_bytes_make_a_traceback(data: bytes) -> None:
    """Nor does any file that is no text."""
    parse({"r.yaml": data})


FRAGMENTS = st.recursive(
    st.sampled_from(["x", "1", "-2", "true", "''", "[你好]", "{any: [你好]}", "agent", "~", "'(a'", "0.5"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(st.sampled_from([*filter(str.isidentifier, WORDS), "of", "is", "n", "at_least", "times"]),
                        inner, max_size=4).map(lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in d.items()) + "}"),
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=400)
@given(FRAGMENTS, FRAGMENTS, FRAGMENTS)
def test_no_structure_makes_a_traceback(when: str, alert: str, examples: str) -> None:
    """Well-formed YAML with anything anywhere."""
    parse({"r.yaml": f"id: a\nwhen: {when}\nalert: {alert}\nexamples: {examples}\nscope: {alert}\n"})
    parse({"r.yaml": f"flow: {when}\nsteps: {examples}\nscope: {alert}\n"})
    parse({"r.yaml": f"scheme: a\ndimensions: {examples}\nitems: {when}\n"})


TOKENS = ["attributes", ".vip", "['a']", "[0]", "scenario", "queue", "==", "<", "+", "-", "/", "%", "&&", "||", "!",
          "?", ":", "(", ")", "[", "]", "{", "}", ",", "in", "1", "0", "1.5", "'x'", '"y"', "true", "null", "int(",
          "size(", "double(", "has(", ".matches(", ".all(", "1/0", "9223372036854775807", " "]  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join), st.sampled_from(["", "0", "1", "-7", "x", "1e999"]))
def test_no_expression_makes_a_traceback(expression: str, value: str) -> None:
    """Neither when it is checked, nor in a call: what fails for the values of a call does not hold."""
    check(expression)
    call = start(started(attributes={"vip": value, "a": value}))
    assert holds(expression, call) in (True, False)
