"""Rule files as people write them: what YAML, editors, habits of other products and a slip do to them.

Each mistake is refused at the right place, with the cause and the next step where there is one; none is accepted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner

from processors.cli import app
from processors.inspect.language import parse
from processors.inspect.rule_files import MAX_BYTES
from processors.runtime.errors import UserError

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


# ruff: noqa: E501  one line a mistake: a table is read by columns
Mistake: TypeAlias = tuple[str | bytes, int, int | None, str, str]
"""(file, line, column or None where it depends on the parser, part of the message, part of the hint)"""
WORDS: dict[str, Mistake] = {
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
    "an unknown rule": (GOOD + "---\nid: b\nwhen: {rule: {hit: gg}}\n" + PROOF, 6, 20, "no rule 'gg'", "'g'"),
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
"""Within the words of the language."""
FILES: dict[str, Mistake] = {
    # What YAML does
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
    "lines that end as on Windows": (b"id: a\r\nwhen:\r\n  sayd: [x]\r\n", 3, 3, "'sayd'", "'said'"),
    "lines that end as on old Macs": (b"id: a\rwhen:\r  sayd: [x]\r", 3, 3, "'sayd'", "'said'"),
    "an indentation by wide spaces": ("id: a\nwhen:\n\u3000\u3000said: [x]\n", 3, 1, "no space (U+3000)", "write spaces"),
    "an invisible character in a key": ("id: a\nwh\u200ben: {said: [x]}\n", 2, 1, "invisible character U+200B", "'when'"),
    "an escape in double quotes": (rule('{matches: "\\d+元"}'), 2, 18, "unknown escape", "single quotes"),
    "nothing but separators": ("---\n---\n---\n", 1, 1, "is empty", "write a rule"),
    "JSON with a slip": ('{\n\t"id": "a",\n\t"when": {"sayd": ["x"]}\n}', 3, 11, "'sayd'", "'said'"),
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
    "seconds in quotes": (rule("{must_say: [x], first_s: '30'}"), 2, 32, "must be a number", "without quotes"),
    "minutes": (rule("{must_say: [x], first_s: 1min}"), 2, 32, "must be a number, not '1min'", "name of the key"),
    "a share of ninety": (rule("{talk_ratio: {of: agent, more_than: 90}}"), 2, 43, "at most 1, not 90", "0.9"),
    "a share in per cent": (rule("{talk_ratio: {of: agent, more_than: 90%}}"), 2, 43, "must be a number, not '90%'", "0.9"),
    "points in per cent": ("id: a\npoints: -5%\nwhen: {said: [x]}\n", 2, 9, "must be a number, not '-5%'", "alone"),
    "digits in full width": ("id: a\npoints: １５\nwhen: {said: [x]}\n", 2, 9, "must be a number", "half width"),
    "less than a millisecond": (rule("{said: [x], first_s: 0.0001}"), 2, 28, "a millisecond at least", ""),
    "a position before the call": (rule("{said: [x], first_s: [-1, 30]}"), 2, 29, "at least 0, not -1", ""),
    "a position of one number": (rule("{said: [x], first_s: [30]}"), 2, 28, "at least 2", ""),
    "on instead of true": ("id: a\nfatal: on\nwhen: {said: [x]}\n", 2, 8, "true or false, not 'on'", "write true"),
    "no instead of false": (rule("{said: {any: [x], homophones: no}}"), 2, 37, "true or false, not 'no'", "write false"),
    "one instead of true": ("id: a\nfatal: 1\nwhen: {said: [x]}\n", 2, 8, "true or false, not '1'", ""),
    # Options that say nothing
    "words that are missing in a partial": (rule("{said: {none: [x], on: partial}}"), 2, 30, "finished", "final"),
    "the written form of a partial": (rule("{matches: {regex: a, written: true, on: partial}}"), 2, 47, "no written form", ""),
    "min_chars beside phrases": (rule("{repeated: {times: 2, like: [x], min_chars: 3}}"), 2, 51, "'similarity'", ""),
    "a phrase that is wanted and excepted": (rule("{said: {any: [保证], except: [保证]}}"), 2, 35, "both wanted and excepted", "remove"),
    "a rule instead of its hit": (rule("{rule: b}"), 2, 14, "must be a mapping", "{hit: b}"),
    # Words of other products and of everyday language
    "or": (rule("{or: [{said: [x]}]}"), 2, 8, "'or'", "'any'"),
    "unless": (rule("{said: [x], unless: {said: [y]}}"), 2, 19, "'unless'", "'not'"),
    "keywords": (rule("{keywords: [x]}"), 2, 8, "'keywords'", "'said'"),
    "an operator in Chinese": (rule("{语速: {of: agent}}"), 2, 8, "'语速'", "'rate'"),
    "within without its unit": (rule("{all: [{said: [x]}, {said: [y], within: 20}]}"), 2, 39, "'within'", "'within_s'"),
    # Regular expressions of other engines
    "a named back-reference": (rule("{matches: '(?P<x>a)(?P=x)'}"), 2, 26, "back-reference '(?P=x)'", ""),
    "a back-reference by name": (rule(r"{matches: '(?P<x>a)\k<x>'}"), 2, 26, r"back-reference '\k<x>'", ""),
    "an atomic group": (rule("{matches: 'b(?>a)'}"), 2, 19, "an atomic group", "(?:"),
    "a possessive repetition": (rule("{matches: 'a++b'}"), 2, 20, "possessive", "leave the second"),
    "a conditional": (rule("{matches: '(a)?(?(1)b|c)'}"), 2, 22, "a conditional", ""),
    "a recursion": (rule("{matches: 'a(?R)'}"), 2, 19, "recursion", ""),
    "a backslash at the end": (rule("{matches: 'ab\\'}"), 2, 20, "trailing", ""),
    "repetitions that multiply": (rule("{matches: '(a{900}){900}'}"), 2, 20, "regular expression", ""),
    "a class of characters that does not exist": (rule(r"{matches: '\p{Hanzi}+'}"), 2, 18, "invalid character class", ""),
    # Expressions over metadata
    "an amount that is compared as a number": (
        rule("{attribute: 'attributes.amount > 1000'}"), 2, 20, "are texts", "double("),
    "an attribute that is no question": (rule("{attribute: attributes.vip}"), 2, 19, "true or false", ""),
    "one equals sign": (rule("{attribute: 'scenario = \"x\"'}"), 2, 29, "not a valid expression", "=="),
    "a variable that does not exist": (rule("{attribute: 'attribute.vip == \"1\"'}"), 2, 20, "'attribute'", "'attributes'"),
    "a number before the attribute": (rule("{attribute: '1000 < attributes.amount'}"), 2, 20, "are texts", "double("),
    "numbers in a list": (rule("{attribute: 'attributes.vip in [1, 2]'}"), 2, 20, "are texts", "double("),
    "a size that is a text": (rule("{attribute: 'size(attributes.phone) == \"11\"'}"), 2, 20, "never equal", ""),
    "a conversion that is compared with a text": (rule("{attribute: 'int(attributes.age) > \"18\"'}"), 2, 20, "as a number", ""),
    "an attribute by its number": (rule("{attribute: 'attributes[0] == \"x\"'}"), 2, 20, "no numbers", "attributes.NAME"),
    "an expression of nothing": (rule("{attribute: 'true'}"), 2, 20, "asks for nothing of the call", "attributes"),
    "a division by zero": (rule("{attribute: 'int(attributes.age) / 0 == 1'}"), 2, 20, "divides by zero", ""),
    "and as a word": (rule("{attribute: 'scenario == \"a\" and queue == \"b\"'}"), 2, 36, "not a valid expression", "cel.dev"),
    "quotes in full width": (rule("{attribute: 'scenario == “a”'}"), 2, 32, "not a valid expression", "cel.dev"),
    "a method by another name": (rule("{attribute: 'queue.startswith(\"1\")'}"), 2, 26, "'startswith'", "'startsWith'"),
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
    "a role in the scope of a scheme": (GOOD + "---\n" + scheme("{id: i, rules: [g]}", "scope: {role: agent}\n"), 6, 8, "no 'role'", "remove"),
    "a score that can not fall": (GOOD + "---\n" + scheme("{id: i, rules: [g]}", "least: 200\n"), 6, 8, "above 'start' (100)", ""),
    "an example of a scheme without its score": (
        GOOD + "---\n" + scheme("{id: i, rules: [g]}") + "examples: [{says: [agent 1 x]}]\n", 8, 12, "needs 'points'", ""),
    "a step that is done and missed": (
        flow("{id: a, when: {said: [x]}}") + "examples: [{says: ['agent 1 x'], done: [a], missed: [a]}]\n", 6, 53, "both done and missed", ""),
    "a flow with the name of a rule": (GOOD + "---\n" + FLOW.replace("flow: f", "flow: g"), 5, 7, "the rule at r.yaml:1:5", "rename"),
    "full marks that grow": (GOOD + "---\n" + scheme("{id: i, rules: [g], full: 10, points: 3}"), 7, 43, "only lose them", ""),
    "a rule that speaks of a step": (
        FLOW + "---\n" + rule("{rule: {hit: f/a}}"), 7, 20, "a step of a flow", "write its condition"),
    "three rules in a circle": (
        "id: a\nwhen: {rule: {hit: b}}\n---\nid: b\nwhen: {all: [{said: [x]}, {rule: {hit: c}}]}\n---\n"
        "id: c\nwhen: {said: [x], after: {rule: {missed: a}}}\n", 2, 20, "a -> b -> c -> a", ""),
}  # fmt: skip
"""Of whole files, types, expressions, alerts, examples, flows and schemes."""
MISTAKES = {**WORDS, **FILES}


@pytest.mark.parametrize("what", MISTAKES)
def test_refuses(what: str) -> None:
    """The right place, the cause, and a hint where there is one."""
    text, line, column, cause, hint = MISTAKES[what]
    problems = parse({"r.yaml": text}).errors
    fitting = [p for p in problems if cause in p.message and hint in p.hint]
    assert fitting, [str(p) for p in problems]
    assert fitting[0].line == line and column in (None, fitting[0].column), str(fitting[0])


def test_each_mistake_is_told_once() -> None:
    """Not in two tables under one name, nor under two names."""
    assert len(MISTAKES) == len(WORDS) + len(FILES)
    assert len({text for text, *_ in MISTAKES.values()}) == len(MISTAKES)


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


WARNED: dict[str, tuple[str, int, int, str, str]] = {
    "phrases in one string": (rule("{said: ['保证,承诺']}"), 2, 15, "is one phrase", "separate"),
    "phrases with a bar": (rule("{said: [保证|承诺]}"), 2, 15, "is one phrase", "separate"),
    "a phrase with a star": (rule("{said: [保证*]}"), 2, 15, "is no pattern", "'matches'"),
    "an alert within a time of one hit": (
        rule("{said: [x]}").replace("examples", "alert: {within_s: 60}\nexamples"),
        3,
        19,
        "without 'min_hits'",
        "min_hits: 2",
    ),
    "an expression with full-width brackets": (rule("{matches: '款（项|额）'}"), 2, 19, "in full width", "write ("),
}


@pytest.mark.parametrize("what", WARNED)
def test_warns_of_what_may_be_meant_but_hardly_is(what: str) -> None:
    text, line, column, cause, hint = WARNED[what]
    problem = parse({"r.yaml": text}).problems[0]
    assert problem.warning and (problem.line, problem.column) == (line, column)
    assert cause in problem.message and hint in problem.hint


def check(path: Path) -> tuple[int, list[str]]:
    """Exit code and lines of `tingjian rules check`; anything but an exit or a message for people fails."""
    try:
        result = CliRunner().invoke(app, ["rules", "check", str(path)], catch_exceptions=False)
    except UserError as error:
        return error.exit_code, [str(error)]
    return result.exit_code, result.output.splitlines()


def test_files_that_are_no_rules_are_refused_by_the_command(tmp_path: Path) -> None:
    """A folder without rules, one called like a file, a file that is too large, one that may not be read, a picture."""
    empty, odd, huge, link = (tmp_path / name for name in ("empty", "odd", "huge", "link"))
    for folder in (empty, odd, huge, link):
        folder.mkdir()
    (odd / "rules.yaml").mkdir()
    (huge / "a.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (link / "a.yaml").symlink_to(tmp_path / "gone.yaml")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    for path, words in (
        (tmp_path / "none", "no rule set at"),
        (empty, "no .yaml files in"),
        (odd, "no .yaml files in"),
        (huge, f"at most {MAX_BYTES}"),
        (link, "can not read"),
        (huge / "a.yaml", f"at most {MAX_BYTES}"),
    ):
        code, lines = check(path)
        assert code == 2 and words in lines[0], (path, lines)
    code, lines = check(tmp_path / "picture.png")
    assert code == 1 and "picture.png:1:1: the file is not UTF-8" in lines[0]


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
