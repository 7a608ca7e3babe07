"""Training examples: repeatable, labelled, within their bounds, grouped without loss."""

from __future__ import annotations

import random

import numpy as np

from processors.tuning import sounds, text
from processors.tuning.channel import voiced_rms
from processors.tuning.evaluate import TELEPHONE, error_rates

SMALL = sounds.Mixture(system_share=0.0, size=6, longest_s=9.0)


def test_the_same_pool_number_gives_the_same_sentences_by_the_same_voices() -> None:
    first, again, other = sounds.pool(3, SMALL), sounds.pool(3, SMALL), sounds.pool(4, SMALL)

    assert [e.text for e in first] == [e.text for e in again] != [e.text for e in other]
    for one, two in zip(first, again, strict=True):
        # espeak-ng carries a little state from one sentence into the next, so only nearly the same samples.
        assert abs(len(one.samples) - len(two.samples)) <= sounds.MODEL_RATE_HZ // 20


def test_examples_are_audible_labelled_and_short_enough() -> None:
    for example in sounds.pool(5, SMALL):
        length_ms = len(example.samples) * 1000 // sounds.MODEL_RATE_HZ
        assert example.text == text.spoken(example.text) != ""
        assert 0 <= example.voice_from_ms < example.voice_to_ms <= length_ms <= 9000
        inside = example.samples[example.voice_from_ms * 16 : example.voice_to_ms * 16].astype(np.float32) / 32768
        assert voiced_rms(inside) > 0.002


def test_batches_hold_every_example_once_within_their_seconds() -> None:
    examples = sounds.pool(6, SMALL)
    groups = list(sounds.batches(examples, 12.0, random.Random(1)))

    assert sorted(id(e) for group in groups for e in group) == sorted(id(e) for e in examples)
    for group in groups:
        assert len(group) == 1 or max(len(e.samples) for e in group) * len(group) <= 12.0 * sounds.MODEL_RATE_HZ


def test_hearing_a_pool_again_keeps_the_words_and_changes_the_sound() -> None:
    examples = sounds.pool(7, SMALL)
    heard = sounds.again(7, examples)

    assert [e.text for e in heard] == [e.text for e in examples]
    for one, two in zip(examples, heard, strict=True):
        assert len(two.samples) >= len(one.samples)
        assert two.voice_to_ms - two.voice_from_ms == one.voice_to_ms - one.voice_from_ms


def test_rendering_puts_pauses_between_sentences() -> None:
    voice = sounds.Voice("bundled", "f2", 180, 50, 50)
    one = sounds.render(["您好"], voice, TELEPHONE, random.Random(1))
    two = sounds.render(["您好", "再见"], voice, TELEPHONE, random.Random(1))

    assert one is not None
    assert two is not None
    assert two.text == "您好再见"
    assert len(two.samples) > len(one.samples)


def test_error_rates_count_characters_and_syllables_without_tones() -> None:
    homophones = error_rates("g", ["我们保证下款"], ["我门保证下款"])
    wrong = error_rates("g", ["保证"], ["您好"])

    assert (homophones.characters, homophones.syllables) == (1 / 6, 0.0)
    assert (wrong.characters, wrong.syllables) == (1.0, 1.0)
