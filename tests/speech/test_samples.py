"""Payloads to samples, samples to blocks at 16 kHz, and what is measured in them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import soxr

from processors.records import Token
from processors.runtime.errors import BadRecord
from processors.speech.acoustics import measure, rate, voiced_pitch
from processors.speech.codec import decode
from processors.speech.resample import BLOCK, BLOCK_MS, MARGIN_MS, RATE_HZ, margin, position, resample_block

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

EVERY_BYTE = bytes(range(256))


@pytest.mark.parametrize(("encoding", "reference"), [("pcmu", audioop.ulaw2lin), ("pcma", audioop.alaw2lin)])
def test_g711_is_decoded_as_the_standard_library_does(encoding: str, reference: object) -> None:
    expected = np.frombuffer(reference(EVERY_BYTE, 2), "<i2")  # type: ignore[operator]
    assert np.array_equal(decode(EVERY_BYTE, encoding), expected)  # type: ignore[arg-type]


def test_pcm_is_taken_as_it_is() -> None:
    assert decode(b"\x01\x00\xff\xff\x00\x80", "pcm_s16le").tolist() == [1, -1, -32_768]
    with pytest.raises(BadRecord, match="3 bytes"):
        decode(b"\x01\x00\xff", "pcm_s16le")


def blocks_against_whole(samples: np.ndarray, rate_hz: int) -> float:
    """The largest difference of blocks that are resampled alone to the whole that is resampled at once."""
    whole = samples if rate_hz == RATE_HZ else soxr.resample(samples, rate_hz, RATE_HZ, quality="MQ")
    largest = 0.0
    for block in range(1, 5):
        first, behind = position(block, rate_hz) - margin(rate_hz), position(block + 1, rate_hz) + margin(rate_hz)
        alone = resample_block(samples[first:behind], rate_hz)
        largest = max(largest, float(np.abs(alone - whole[block * BLOCK : (block + 1) * BLOCK]).max()))
    return largest


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 32_000, 44_100, 48_000])
def test_blocks_resampled_alone_equal_the_whole_resampled(rate_hz: int) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, rate_hz)
    assert blocks_against_whole(np.convolve(noise, np.ones(8) / 8, "same").astype(np.float32), rate_hz) < 2e-4


@pytest.mark.parametrize("rate_hz", [8_001, 11_025, 12_345, 22_050, 47_999])
def test_blocks_of_a_rate_that_does_not_fit_are_less_than_a_sample_off(rate_hz: int) -> None:
    """So much a tone of 300 Hz moves within one sample."""
    tone = np.sin(2 * np.pi * 300 * np.arange(rate_hz) / rate_hz).astype(np.float32)
    assert blocks_against_whole(tone, rate_hz) < 2 * np.pi * 300 / min(rate_hz, RATE_HZ)


@pytest.mark.parametrize("rate_hz", [8_000, 8_001, 11_025, 12_345, 44_100, 47_999])
def test_blocks_of_any_rate_follow_each_other(rate_hz: int) -> None:
    for block in (0, 1, 7, 10_000):
        assert position(block + 1, rate_hz) - position(block, rate_hz) in (
            rate_hz * BLOCK_MS // 1000,
            rate_hz * BLOCK_MS // 1000 + 1,
        )
        size = position(block + 1, rate_hz) - position(block, rate_hz) + 2 * margin(rate_hz)
        assert len(resample_block(np.zeros(size, np.float32), rate_hz)) == BLOCK
    assert margin(rate_hz) == MARGIN_MS * rate_hz // 1000


def voice(pitch_hz: float, seconds: float = 1.0, peak: float = 0.3) -> np.ndarray:
    """Pulses through a little filter: harmonics, as a voice has them."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * pitch_hz * n * times) / n for n in range(1, 8))
    return (wave / np.abs(wave).max() * peak).astype(np.float32)


@pytest.mark.parametrize("pitch_hz", [90.0, 120.0, 180.0, 240.0, 330.0])
def test_pitch_of_a_voice_is_found(pitch_hz: float) -> None:
    assert measure(voice(pitch_hz), (), 0).pitch_hz == pytest.approx(pitch_hz, rel=0.02)


@pytest.mark.parametrize(("pitch_hz", "strong"), [(70.0, 5), (80.0, 4), (90.0, 4), (110.0, 3), (200.0, 2)])
def test_pitch_is_found_without_its_fundamental_and_with_one_strong_harmonic(pitch_hz: float, strong: int) -> None:
    """As a telephone line leaves a low voice: nothing below 300 Hz, most of it in one harmonic."""
    times = np.arange(RATE_HZ) / RATE_HZ
    first = int(300 / pitch_hz) + 1
    wave = sum(
        np.sin(2 * np.pi * pitch_hz * n * times) * (1.0 if n == strong else 0.07)
        for n in range(first, 3400 // int(pitch_hz))
    )
    audio = (wave / np.abs(wave).max() * 0.3).astype(np.float32)
    assert measure(audio, (), 0).pitch_hz == pytest.approx(pitch_hz, rel=0.03)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, RATE_HZ).astype(np.float32)
    assert len(voiced_pitch(noise)) < 5
    assert measure(np.zeros(RATE_HZ, np.float32), (), 0).pitch_hz is None
    assert measure(np.zeros(10, np.float32), (), 0).level_db == -100.0


def test_level_is_relative_to_full_scale() -> None:
    loud = measure(voice(200, peak=0.4), (), 0).level_db
    quiet = measure(voice(200, peak=0.04), (), 0).level_db
    assert loud - quiet == pytest.approx(20, abs=0.2)
    assert measure(np.full(RATE_HZ, 1.0, np.float32), (), 0).level_db == 0.0


def test_a_rising_voice_has_a_wider_range_than_a_flat_one() -> None:
    flat = measure(voice(200), (), 0).pitch_range_st
    moving = measure(np.concatenate([voice(180), voice(200), voice(270)]), (), 0).pitch_range_st
    assert flat is not None and moving is not None
    assert flat < 0.5 < 5 < moving == pytest.approx(7, abs=1)


def test_rate_counts_characters_from_the_first_to_the_last() -> None:
    tokens = [Token(text="还", start_ms=n * 200, end_ms=n * 200 + 200, confidence=1.0) for n in range(10)]
    assert rate(tokens) == 300.0
    assert rate(tokens[:1]) == 0.0, "200 ms say nothing about a rate"
    assert rate([]) == 0.0
