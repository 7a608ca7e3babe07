"""Measurements of one utterance: level, pitch, rate, overlap. Pure numpy; cheap enough for every utterance.

Pitch is found by autocorrelation of frames of 40 ms, all frames of an utterance in one transform, at 4 kHz: a voice's
fundamental lies far below that. A telephone line takes the fundamental of a low voice away, and then a harmonic repeats
nearly as well; the rectified signal has it again, so both are asked. Frames in which nothing repeats are unvoiced. Does
not say what a measurement means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from processors.records import Acoustics, Token
from processors.speech.channel import decibels
from processors.speech.hypotheses import characters
from processors.speech.resample import RATE_HZ, Audio

THINNING = 4
LOW_HZ, HIGH_HZ = 65.0, 420.0
FRAME = 40 * RATE_HZ // THINNING // 1000
STEP = 20 * RATE_HZ // THINNING // 1000
SIZE = 512
"""Of the transform: a frame and its longest lag fit without wrapping around."""
VOICED = 0.55
"""Least normalised autocorrelation of a voiced frame."""
AS_GOOD = 0.95
"""Share of the best autocorrelation at which a shorter lag is taken: a multiple of the period repeats as well."""
LOUD_SHARE = 0.05
"""A frame with less than this share of the mean energy is a pause."""
LEAST_FRAMES = 5
LEAST_SPAN_MS = 300
"""A rate over a shorter time says nothing."""


def measure(audio: Audio, tokens: Sequence[Token], overlap_ms: int) -> Acoustics:
    """Of the speech of an utterance (16 kHz, without lead and tail) and its tokens."""
    pitch = voiced_pitch(audio)
    hz = round(float(np.median(pitch)), 1) if len(pitch) >= LEAST_FRAMES else None
    span_st = None
    if hz is not None:
        low, high = np.percentile(pitch, [5, 95])
        span_st = round(float(12 * np.log2(high / low)), 2)
    return Acoustics(
        level_db=decibels(float(np.dot(audio, audio)) / max(1, len(audio))),
        chars_per_min=rate(tokens),
        overlap_ms=overlap_ms,
        pitch_hz=hz,
        pitch_range_st=span_st,
    )


def rate(tokens: Sequence[Token]) -> float:
    """Characters a minute, from the first token's start to the last one's end; 0 when there is too little."""
    if not tokens:
        return 0.0
    span_ms = tokens[-1].end_ms - tokens[0].start_ms
    return round(characters(tokens) * 60_000 / span_ms, 1) if span_ms >= LEAST_SPAN_MS else 0.0


def voiced_pitch(audio: Audio) -> NDArray[np.float64]:
    """Pitch in Hz of each voiced frame."""
    whole = len(audio) - len(audio) % THINNING
    if whole < FRAME * THINNING:
        return np.zeros(0)
    frames = _frames(audio[:whole])
    energy = np.einsum("ij,ij->i", frames, frames)
    loud = energy > max(float(energy.mean()) * LOUD_SHARE, 1e-7)
    if not loud.any():
        return np.zeros(0)
    rate_hz = RATE_HZ / THINNING
    low, high = int(rate_hz / HIGH_HZ), int(rate_hz / LOW_HZ) + 1
    rectified = _frames(np.abs(audio[:whole]))[loud]
    likeness = (_likeness(frames[loud], high + 2) + _likeness(rectified, high + 2)) / 2
    inner = likeness[:, low : high + 1]
    good = inner >= AS_GOOD * inner.max(1, keepdims=True)
    peak = good & (inner >= likeness[:, low - 1 : high]) & (inner >= likeness[:, low + 1 : high + 2])
    lag = low + np.where(peak.any(1), peak.argmax(1), inner.argmax(1))
    rows = np.arange(len(lag))
    voiced = likeness[rows, lag] >= VOICED
    left, middle, right = (likeness[rows, lag + shift] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (left - right) / np.where(bend == 0, 1, bend), 0.0).clip(-0.5, 0.5)
    pitch: NDArray[np.float64] = (rate_hz / (lag + shift))[voiced]
    return pitch


def _frames(audio: Audio) -> NDArray[np.float32]:
    """Frames of the thinned signal, each without its mean."""
    thin = audio.reshape(-1, THINNING).mean(1)
    frames = np.lib.stride_tricks.sliding_window_view(thin, FRAME)[::STEP]
    return np.asarray(frames - frames.mean(1, keepdims=True))


def _likeness(frames: NDArray[np.float32], lags: int) -> NDArray[np.float64]:
    """Normalised autocorrelation of each frame at the first lags.

    Divided by the window's own autocorrelation, so that long lags are not worth less than short ones.
    """
    window = np.hanning(FRAME)
    spectrum = np.fft.rfft(frames * window, SIZE)
    together = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, SIZE)
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, SIZE)) ** 2, SIZE)
    return np.asarray(together[:, :lags] / np.maximum(together[:, :1], 1e-12) / (shape[:lags] / shape[0]))
