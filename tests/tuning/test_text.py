"""Sentences for training: enough templates, nothing of the held-out ones, every character, numbers as they are said."""

from __future__ import annotations

import random
import re

import pytest

from processors.tuning import text


def test_there_are_at_least_1500_templates_and_a_part_of_each_domain_is_held_out() -> None:
    templates = text.load_templates()
    by_domain = {t.domain: [u for u in templates if u.domain == t.domain] for t in templates}

    assert len(templates) >= 1500
    assert {"collection", "finance", "insurance", "retail", "service", "telecom"} <= by_domain.keys()
    for domain, listed in by_domain.items():
        held_out = sum(t.held_out for t in listed)
        assert 0 < held_out < len(listed) / 3, domain


def test_every_slot_exists_and_everything_can_be_written() -> None:
    draw = random.Random(3)
    for template in text.load_templates():
        assert set(re.findall(r"\{(\w+)\}", template.text)) <= text.slot_names(), template.text
        filled = text.fill(template.text, draw)
        assert text.writable(filled), (template.text, set(text.spoken(filled)) - set(text.characters()))
        assert not re.search(r"[0-9A-Za-z{}]", filled), filled


def test_held_out_templates_never_reach_the_training_sentences() -> None:
    held_out = {text.spoken(t.text) for t in text.load_templates() if t.held_out and "{" not in t.text}
    templates = [t for t in text.load_templates() if not t.held_out]
    clauses = text.clauses_of(templates)
    draw = random.Random(5)

    made = {text.spoken(text.sentence(draw, templates, clauses, number)) for number in range(4000)}

    long_ones = {sentence for sentence in held_out if len(sentence) >= 8}
    assert not long_ones & made


def test_the_coverage_part_goes_through_every_character() -> None:
    draw = random.Random(1)
    known = text.characters()

    heard = {c for character in known for c in text.covering_words(draw, character)}

    assert set(known) <= heard


def test_the_coverage_order_reaches_every_character() -> None:
    count = len(text.characters())

    assert len({number * 7919 % count for number in range(count)}) == count


def test_characters_are_distinct_and_as_many_as_the_shipped_model_writes() -> None:
    assert len(text.characters()) == len(set(text.characters())) == 2605


def test_random_words_are_a_minority() -> None:
    templates = [t for t in text.load_templates() if not t.held_out]
    clauses = text.clauses_of(templates)
    draw = random.Random(11)
    calls: list[int] = []

    class Counting(random.Random):
        def choices(self, *arguments: object, **named: object) -> list[str]:  # only random_words calls it
            calls.append(1)
            return super().choices(*arguments, **named)  # type: ignore[arg-type]

    counting = Counting(draw.random())
    alone = 0
    for number in range(2000):
        calls.clear()
        text.sentence(counting, templates, clauses, number)
        alone += bool(calls)

    assert 0.1 < alone / 2000 < 0.35  # whole sentences of them, within sentences, and the coverage part


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"), (7, "七"), (10, "十"), (15, "十五"), (20, "二十"), (101, "一百零一"), (110, "一百一十"),
        (1010, "一千零一十"), (2005, "二千零五"), (10_001, "一万零一"), (10_250, "一万零二百五十"), (300_000, "三十万"),
        (250_500, "二十五万零五百"), (12_345_678, "一千二百三十四万五千六百七十八"),
    ],
)  # fmt: skip
def test_numbers_are_said_in_full(value: int, said: str) -> None:
    assert text.say_number(value) == said


def test_digits_say_one_in_one_way_only() -> None:
    for seed in range(50):
        said = text.say_digits(random.Random(seed), 11, "1")
        assert len(said) == 11
        assert not ("一" in said and "幺" in said)
