"""Rule files as outsiders write them: what YAML, editors and habits of other products do to them.

Each is refused at the right place, with the cause and the next step; `test_language` has the mistakes within the words
of the language itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from processors.cli import app
from processors.inspect.language import parse

PROOF = "examples: [{says: ['agent 1 你好'], hit: true}]\n"
GOOD = "id: g\nwhen: {said: [你好]}\n" + PROOF
FLOW = "flow: f\nsteps:\n  - {id: a, when: {said: [x]}}\n  - {id: b, when: {said: [y]}}\n"


def rule(when: str, rest: str = "") -> str:
    """`when` stands on line 2 from column 7 on."""
    return f"id: a\nwhen: {when}\n{rest}{'' if 'examples' in rest else PROOF}"


def example(says: str, hit: str = "true") -> str:
    """The list of lines stands on line 3 from column 19 on."""
    return rule("{said: [x]}", f"examples: [{{says: {says}, hit: {hit}}}]\n")


def flow(step: str) -> str:
    """One step on line 3 from column 5 on, then the steps b and c."""
    return f"flow: f\nsteps:\n  - {step}\n  - {{id: b, when: {{said: [y]}}}}\n  - {{id: c, when: {{said: [z]}}}}\n"


def scheme(item: str, above: str = "") -> str:
    """One item, on the last line, from column 5 on."""
    return f"scheme: s\n{above}items:\n  - {item}\n"


# What YAML does
# ruff: noqa: E501
WRITTEN: dict[str, tuple[str | bytes, int, int, str, str]] = {
    "a line indented too far": ("id: a\n name: x\nwhen: {said: [x]}\n", 2, 6, "mapping values", "indented too far"),
    "a line indented too little": ("id: a\nwhen:\n  all:\n    - said: [x]\n   - said: [y]\n", 5, 4, "expected key", "indentation"),
    "a modifier deeper than its operator": ("id: a\nwhen:\n  said: [x]\n   role: agent\n", 4, 4, "expected key", "indentation"),
    "a tab after good lines": ("id: a\nwhen: {said: [x]}\n\tname: b\n", 3, 1, "a tab", "spaces"),
    "a quote that is never closed": ("id: a\nname: 'abc\nwhen: {said: [x]}\n", 2, 7, "quoted scalar", "never closed"),
    "a name that begins with @": ("id: a\nname: @x\n", 2, 7, "cannot start any token", "quotes"),
    "a phrase that begins with %": (rule("{said: [%x]}"), 2, 15, "cannot start any token", "quotes"),
    "a phrase that begins with *": (rule("{said: [*重点]}"), 2, 16, "alias", "quotes"),
    "a phrase with a colon": (rule("{said: [利率: 高]}"), 2, 15, "must be a text, not a mapping", ""),
    "a line of an example with braces and no quotes": (
        "id: a\nwhen: {said: [x]}\nexamples:\n  - {says: [agent 1 {level_db: -6} 你好], hit: true}\n", 4, 21, "flow sequence", "quotes"),
    "colons in full width": ("id： a\nwhen: {said: [x]}\n", 2, 5, "mapping values", "half width"),
    "brackets in full width": (rule("{said: ［x］}"), 2, 14, "or a mapping, not '［x］'", ""),
    "a number in full width": ("id: a\npoints: －１５\nwhen: {said: [x]}\n", 2, 9, "must be a number", ""),
    "a file in UTF-16": ("id: a\n".encode("utf-16"), 1, 1, "not UTF-8", "save it as UTF-8"),
    "a file in GBK": ("id: a\nname: 承诺\n".encode("gbk"), 2, 7, "not UTF-8", "save it as UTF-8"),
    "a mistake behind a byte order mark": ("\ufeffid: a\nwhen: {sayd: [x]}\n".encode(), 2, 8, "'sayd'", "'said'"),
    "a zero byte": ("id: a\x00\n", 1, 6, "not allowed", ""),
    "half a surrogate": ('id: "\\ud800"\n', 1, 8, "invalid Unicode", ""),
    "a merge key": ("id: a\nwhen:\n  <<: {role: agent}\n  said: [x]\n", 3, 3, "merge keys", "write the keys out"),
    "an alias of what it stands in": ("id: a\nwhen: &w {all: [*w]}\n", 2, 17, "no anchor", ""),
    "a key that is a list": ("id: a\n? [x]\n: y\nwhen: {said: [x]}\n", 2, 3, "plain word", ""),
    "a binary value": (rule("{said: [!!binary eA==]}"), 2, 15, "not supported", ""),
    "text after the end mark": (GOOD + "...\nfoo\n", 5, 1, "document start", ""),
    "a file of two million characters": ("id: a\nname: " + "x" * 2_000_001, 1, 1, "at most 2000000", ""),
    "nothing but a comment": ("# later\n", 1, 1, "is empty", "write a rule"),
    "keys in Chinese": ("规则: a\n", 1, 1, "no key '规则'", "one of: id"),
    "keys with capitals": ("Id: a\nwhen: {said: [x]}\n", 1, 1, "no key 'Id'", "'id'"),
    # Wrong types
    "points that are no number": ("id: a\npoints: .nan\nwhen: {said: [x]}\n", 2, 9, "must be a number, not '.nan'", ""),
    "endless points": ("id: a\npoints: 1e999\nwhen: {said: [x]}\n", 2, 9, "at most 10000", ""),
    "points that are true": ("id: a\npoints: true\nwhen: {said: [x]}\n", 2, 9, "must be a number", ""),
    "points without a value": ("id: a\npoints:\nwhen: {said: [x]}\n", 2, 8, "not nothing", ""),
    "fatal in quotes": ("id: a\nfatal: 'true'\nwhen: {said: [x]}\n", 2, 8, "true or false", ""),
    "a severity with a capital": ("id: a\nseverity: High\nwhen: {said: [x]}\n", 2, 11, "'High'", "'high'"),
    "a list of roles": (rule("{said: [x], role: [agent, customer]}"), 2, 25, "not a list", ""),
    "seconds with a unit": (rule("{must_say: [x], first_s: 15s}"), 2, 32, "must be a number, not '15s'", ""),
    "a window without a value": (rule("{must_say: [x], first_s: }"), 2, 32, "not nothing", ""),
    "conditions of all as a mapping": (rule("{all: {said: [x]}}"), 2, 13, "must be a list", "'- '"),
    "a condition of not as a list": (rule("{not: [{said: [x]}]}"), 2, 13, "must be a mapping", ""),
    "an anchor that is a word": (rule("{said: [x], after: said}"), 2, 26, "must be a mapping", ""),
    "two operators in an anchor": (rule("{said: [x], after: {said: [y], matches: z}}"), 2, 38, "'said' and 'matches'", ""),
    "a phrase that is a list": (rule("{said: [[x]]}"), 2, 15, "not a list", ""),
    "a phrase that is nothing": (rule("{said: [~]}"), 2, 15, "not nothing", ""),
    "no words that must be said": (rule("{must_say: [], first_s: 5}"), 2, 18, "'must_say' is empty", ""),
    # Options that say nothing
    "words that are missing in a partial": (rule("{said: {none: [x], on: partial}}"), 2, 30, "finished", "final"),
    "the written form of a partial": (rule("{matches: {regex: a, written: true, on: partial}}"), 2, 47, "no written form", ""),
    "min_chars beside phrases": (rule("{repeated: {times: 2, like: [x], min_chars: 3}}"), 2, 51, "'similarity'", ""),
    # Regular expressions of other engines
    "a named back-reference": (rule("{matches: '(?P<x>a)(?P=x)'}"), 2, 26, "back-reference '(?P=x)'", ""),
    "a back-reference by name": (rule(r"{matches: '(?P<x>a)\k<x>'}"), 2, 26, r"back-reference '\k<x>'", ""),
    "an atomic group": (rule("{matches: 'b(?>a)'}"), 2, 19, "an atomic group", "(?:"),
    "a possessive repetition": (rule("{matches: 'a++b'}"), 2, 20, "possessive", "leave the second"),
    "a conditional": (rule("{matches: '(a)?(?(1)b|c)'}"), 2, 22, "a conditional", ""),
    "a recursion": (rule("{matches: 'a(?R)'}"), 2, 19, "recursion", ""),
    "a backslash at the end": (rule("{matches: 'ab\\'}"), 2, 20, "trailing", ""),
    "repetitions that multiply": (rule("{matches: '(a{900}){900}'}"), 2, 20, "regular expression", ""),
    # Expressions over metadata
    "an amount that is compared as a number": (
        rule("{attribute: 'attributes.amount > 1000'}"), 2, 20, "are texts", "double("),
    "an attribute that is no question": (rule("{attribute: attributes.vip}"), 2, 19, "true or false", ""),
    "one equals sign": (rule("{attribute: 'scenario = \"x\"'}"), 2, 29, "not a valid expression", "=="),
    "a variable that does not exist": (rule("{attribute: 'attribute.vip == \"1\"'}"), 2, 20, "'attribute'", "'attributes'"),
    # Alerts
    "a time between alerts below 0": (rule("{said: [x]}", "alert: {every_s: -0.5}\n"), 3, 18, "above 0", ""),
    "quiet hours in words": (rule("{said: [x]}", "alert: {quiet: 8pm-8am}\n"), 3, 16, "hours of the day", "22:00-08:00"),
    "quiet hours as a mapping": (rule("{said: [x]}", "alert: {quiet: {from: 1}}\n"), 3, 16, "not a mapping", ""),
    "quiet hours with full-width colons": (rule("{said: [x]}", "alert: {quiet: '22：00-08：00'}\n"), 3, 16, "hours of the day", ""),
    "an alert for nobody": (rule("{said: [x]}", "alert: {to: }\n"), 3, 13, "not nothing", ""),
    "a misspelt recipient key": (rule("{said: [x]}", "alert: {too: [x]}\n"), 3, 9, "'too'", "'to'"),
    # Examples
    "a line with minutes": (example("['agent 00:12 x']"), 3, 20, "'00:12' is no time: seconds", ""),
    "a negative time": (example("['agent -1 x']"), 3, 20, "'-1' is no time", ""),
    "a brace that is not closed": (example("['agent 1 {level_db: -6 x']"), 3, 20, "closing brace", ""),
    "a measurement in words": (example("['agent 1 {level_db: loud} x']"), 3, 20, "must be a number", ""),
    "an intent that does not exist": (example("['agent 1 {intents: {complain: 0.9}} x']"), 3, 20, "'complain'", "'complaint'"),
    "a hold within a hold": (example("['hold 5-9', 'hold 7-12', 'agent 1 x']"), 3, 19, "while the call is on hold", ""),
    "a hold after the end": (example("['hold 5-9', 'end 7', 'agent 1 x']"), 3, 19, "last hold", ""),
    "two ends": (example("['end 7', 'end 8', 'agent 1 x']"), 3, 29, "stands once", ""),
    "a hit after the end": (example("['agent 1 x']", "500"), 3, 39, "ends at 3.25 s", ""),
    "a hit in quotes": (example("['agent 1 x']", "'true'"), 3, 39, "'hit' must be", ""),
    "examples as a mapping": (rule("{said: [x]}", "examples: {says: ['agent 1 x'], hit: true}\n"), 3, 11, "must be a list", "'- '"),
    "a misspelt key of an example": (rule("{said: [x]}", "examples: [{say: ['agent 1 x'], hit: true}]\n"), 3, 13, "'say'", "'says'"),
    # Flows
    "a branch that leads nowhere": (flow("{id: a, branches: [{when: {said: [x]}, go: bb}, {go: end}]}"), 3, 48, "no step 'bb'", "'b'"),
    "a step that leads back": (flow("{id: a, when: {said: [x]}, next: a}"), 3, 5, "lead back", ""),
    "a step to which nothing leads": (flow("{id: a, when: {said: [x]}, next: c}"), 4, 5, "nothing leads to the step 'b'", ""),
    "a step called end": (flow("{id: end, when: {said: [x]}}"), 3, 10, "'end'", ""),
    "a step twice": (flow("{id: a, when: {said: [x]}}").replace("id: c", "id: b"), 5, 10, "stands twice", ""),
    "a step with both": (flow("{id: a, when: {said: [x]}, branches: [{go: end}]}"), 3, 5, "either 'when' or 'branches'", ""),
    "a default branch in the middle": (flow("{id: a, branches: [{go: b}, {when: {said: [x]}, go: b}]}"), 3, 33, "must be the last", ""),
    "a fatal optional step": (flow("{id: a, when: {said: [x]}, optional: true, fatal: true}"), 3, 42, "never missed", ""),
    "a skip by a later step": (flow("{id: a, when: {said: [x]}, skip_when_missed: [b]}"), 3, 51, "no step 'b' before", ""),
    "a misspelt key of a step": (flow("{id: a, wen: {said: [x]}}"), 3, 13, "'wen'", "'when'"),
    "an example of a flow with hit": (
        flow("{id: a, when: {said: [x]}}") + "examples: [{says: ['agent 1 x'], hit: true}]\n", 6, 34, "an example of a flow has no key 'hit'", "done, missed"),
    "an example with an unknown step": (
        flow("{id: a, when: {said: [x]}}") + "examples: [{says: ['agent 1 x'], missed: [bb]}]\n", 6, 43, "no step 'bb'", "'b'"),
    "a flow without steps": ("flow: f\n", 1, 1, "needs 'steps'", ""),
    # Schemes
    "a scheme with an unknown rule": (GOOD + "---\n" + scheme("{id: i, rules: [gg]}"), 7, 21, "no rule 'gg'", "'g'"),
    "a scheme with an unknown step": (FLOW + "---\n" + scheme("{id: i, rules: [f/aa]}"), 8, 21, "no step of a flow 'f/aa'", "'f/a'"),
    "a scheme with a rule that is no list": (GOOD + "---\n" + scheme("{id: i, rules: g}"), 7, 20, "must be a list", "[g]"),
    "an item twice": (GOOD + "---\n" + scheme("{id: i, rules: [g]}\n  - {id: i, rules: [g]}"), 8, 10, "stands twice", ""),
    "caps that cross": (GOOD + "---\n" + scheme("{id: i, rules: [g]}", "least: 100\nmost: 0\n"), 7, 7, "'most' is below 'least'", ""),
    "a scheme that never applies": (
        GOOD + "---\n" + scheme("{id: i, rules: [g]}") + "---\n" + scheme("{id: i, rules: [g]}").replace("scheme: s", "scheme: t"),
        9, 9, "'s' has the same scope", ""),
    "full marks that grow": (GOOD + "---\n" + scheme("{id: i, rules: [g], full: 10, points: 3}"), 7, 43, "only lose them", ""),
    "a rule that speaks of a step": (
        FLOW + "---\n" + rule("{rule: {hit: f/a}}"), 7, 20, "a step of a flow", "write its condition"),
    "three rules in a circle": (
        "id: a\nwhen: {rule: {hit: b}}\n---\nid: b\nwhen: {all: [{said: [x]}, {rule: {hit: c}}]}\n---\n"
        "id: c\nwhen: {said: [x], after: {rule: {missed: a}}}\n", 2, 20, "a -> b -> c -> a", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", WRITTEN)
def test_refuses(what: str) -> None:
    """The right place, the cause, and a hint where there is one."""
    text, line, column, cause, hint = WRITTEN[what]
    problems = parse({"r.yaml": text}).errors
    fitting = [p for p in problems if cause in p.message and hint in p.hint]
    assert fitting, [str(p) for p in problems]
    assert (fitting[0].line, fitting[0].column) == (line, column), str(fitting[0])


def test_the_same_id_in_two_files() -> None:
    (problem,) = parse({"a.yaml": GOOD, "b/c.yaml": GOOD}).errors
    assert str(problem) == "b/c.yaml:1:5: the rule 'g' exists already at a.yaml:1:5"


def test_a_list_without_half_width_commas_is_warned_of() -> None:
    """你好，再见 is one phrase, which may be meant; nothing else about it is wrong."""
    parsed = parse({"a.yaml": rule("{said: [你好，再见]}")})
    assert [(p.line, p.column, p.warning) for p in parsed.problems] == [(2, 15, True)]


def test_what_is_right_in_spite_of_its_looks() -> None:
    """Numbers as phrases, ids in Chinese, a directive, a byte order mark, aliases, unquoted hours."""
    for text in (
        rule("{said: [12345, 3.5]}"),
        GOOD.replace("id: g", "id: 承诺下款"),
        "%YAML 1.2\n---\n" + GOOD,
        "\ufeff" + GOOD,
        rule("{any: [&x {said: [甲]}, {said: [乙], after: *x}]}"),
        rule("{said: [x]}", "alert: {quiet: 22:00-08:00}\n"),
        rule(r"{matches: '\(\?=x\+\+'}"),
        FLOW + "---\n" + scheme("{id: i, rules: [f/a, f/b]}"),
    ):
        assert parse({"a.yaml": text}).errors == [], text


def test_the_command_prints_every_mistake_and_fails(tmp_path: Path) -> None:
    """FILE:LINE:COLUMN with the folder as the user calls it, one line each, exit 1; no traceback whatever is wrong."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.yaml").write_text(rule("{sayd: [x]}"), encoding="utf-8")
    (tmp_path / "deep" / "b.yml").write_bytes("id: a\nname: 承诺\n".encode("gbk"))
    result = CliRunner().invoke(app, ["rules", "check", str(tmp_path)])
    assert result.exit_code == 1
    lines = result.output.replace("\n", "\n").splitlines()
    assert lines[0] == f"{tmp_path}/a.yaml:2:8: no operator or modifier 'sayd'; did you mean 'said'?"
    assert lines[1].startswith(f"{tmp_path}/deep/b.yml:2:7: the file is not UTF-8")
    assert "2 errors" in lines[-1]
    assert CliRunner().invoke(app, ["rules", "check", str(tmp_path / "none")]).exit_code != 0
