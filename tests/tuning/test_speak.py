"""Synthesis in process: it speaks, its settings are heard, and wrong names are said plainly."""

from __future__ import annotations

import numpy as np
import pytest

from processors.runtime.errors import UserError
from processors.tuning.sounds import HELD_OUT_VOICES, training_variants
from processors.tuning.speak import speak, synthesiser


def test_speaking_gives_audible_samples_at_22_050_hz() -> None:
    samples, rate_hz = speak("您好，请问您的还款日期是什么时候", "f2")

    assert rate_hz == 22050
    assert samples.dtype == np.float32
    assert 2 < len(samples) / rate_hz < 8
    assert 0.05 < np.max(np.abs(samples)) <= 1


def test_a_faster_rate_is_shorter() -> None:
    slow, _ = speak("我们保证下款", "f2", rate=130)
    fast, _ = speak("我们保证下款", "f2", rate=260)
    again, _ = speak("我们保证下款", "f2", rate=260)

    assert len(fast) < len(slow) * 0.75
    assert len(again) == pytest.approx(len(fast), rel=0.02)


def test_pinyin_syllables_are_spoken_as_the_characters_are() -> None:
    written, _ = speak("我们", "m3")
    syllables, _ = speak("wo3 men5", "m3", base="cmn-latn-pinyin")

    assert len(syllables) == pytest.approx(len(written), rel=0.25)


def test_an_unknown_voice_names_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"no voice variant 'nobody'; it has .*klatt"):
        speak("你好", "nobody")


def test_held_out_voices_exist_and_are_not_trained_on() -> None:
    assert set(HELD_OUT_VOICES) <= set(synthesiser("bundled").variants)
    assert not set(HELD_OUT_VOICES) & set(training_variants("bundled"))
    assert len(training_variants("bundled")) >= 80
