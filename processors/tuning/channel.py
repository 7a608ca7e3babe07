"""What a telephone line does to a voice: bands, G.711, noise, lost packets, clipping, levels. Arrays in, arrays out.

Randomness comes in as a `numpy.random.Generator`. All signals are mono float32 in -1..1, sample rates are in hertz.
It does not decide how often which effect happens: that is `sounds.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt  # type: ignore[import-untyped]

Samples = NDArray[np.float32]

NOISES = ("white", "pink", "brown", "hum", "babble")
HELD_OUT_NOISES = ("street", "fan")
"""Kinds of noise that training never hears, so that the evaluation can."""


def resample(samples: Samples, from_hz: float, to_hz: float) -> Samples:
    """Change the sample rate, keep the sound. Length times to_hz / from_hz."""
    if from_hz == to_hz:
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz, quality="MQ"), np.float32)


def bend(samples: Samples, rate_hz: int, factor: float) -> Samples:
    """Play faster (factor above 1) or slower: pitch and formants move by the factor, too. Length divided by it."""
    return resample(samples, rate_hz * factor, rate_hz)


def band(samples: Samples, rate_hz: int, low_hz: float | None, high_hz: float | None, order: int = 4) -> Samples:
    """Band limits by Butterworth filters: the high-pass at low_hz, the low-pass at high_hz, either may be None."""
    result = samples
    if low_hz:
        result = sosfilt(butter(order, low_hz, "highpass", fs=rate_hz, output="sos"), result)
    if high_hz and high_hz < rate_hz * 0.49:
        result = sosfilt(butter(order, high_hz, "lowpass", fs=rate_hz, output="sos"), result)
    return np.asarray(result, np.float32)


def _mu_law_levels() -> NDArray[np.float32]:
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = ((mantissa << 3) + 0x84 << exponent) - 0x84
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)


def _a_law_levels() -> NDArray[np.float32]:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) / 32768).astype(np.float32)


G711_LEVELS = {"pcmu": np.unique(_mu_law_levels()), "pcma": np.unique(_a_law_levels())}
"""The sample values that ITU-T G.711 can carry, ascending, by codec."""


def g711(samples: Samples, codec: str) -> Samples:
    """Through G.711 and back: every sample becomes the nearest value that the codec ("pcmu" or "pcma") carries."""
    levels = G711_LEVELS[codec]
    edges = (levels[1:] + levels[:-1]) / 2
    return levels[np.searchsorted(edges, samples)]


def rms(samples: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def voiced_rms(samples: Samples, frame: int = 400) -> float:
    """Root mean square over the louder frames (those above a tenth of the loudest), so that pauses do not count."""
    count = len(samples) // frame
    if count < 2:
        return rms(samples)
    power = np.mean(np.square(samples[: count * frame].reshape(count, frame)), axis=1)
    return float(np.sqrt(power[power >= power.max() * 0.01].mean()))


def level(samples: Samples, level_db: float) -> Samples:
    """Scale so that the voiced part has this level in dB relative to full scale. Silence stays silence."""
    now = voiced_rms(samples)
    return samples * np.float32(10 ** (level_db / 20) / now) if now > 0 else samples


def clip(samples: Samples, limit: float) -> Samples:
    """Hard clipping at +-limit times the highest peak."""
    peak = float(np.max(np.abs(samples))) if len(samples) else 0.0
    return np.clip(samples, -limit * peak, limit * peak)


def _shaped(draw: np.random.Generator, count: int, exponent: float) -> Samples:
    size = 1 << max(count - 1, 1).bit_length()  # a power of two: the transform of a prime length is slow
    spectrum = np.fft.rfft(draw.standard_normal(size).astype(np.float32))
    weight = np.arange(1, len(spectrum) + 1, dtype=np.float32) ** -exponent
    return np.asarray(np.fft.irfft(spectrum * weight, size)[:count], np.float32)


def noise(draw: np.random.Generator, kind: str, count: int, rate_hz: int, voices: Sequence[Samples] = ()) -> Samples:
    """`count` samples of noise with root mean square 1. `babble` mixes other voices, and is pink noise without them."""
    time_s = np.arange(count, dtype=np.float32) / rate_hz
    if kind == "white":
        result = draw.standard_normal(count).astype(np.float32)
    elif kind == "brown":
        result = _shaped(draw, count, 1.0)
    elif kind == "hum":
        base_hz = draw.choice([50.0, 60.0, 100.0])
        result = _shaped(draw, count, 0.5)
        result = result / max(rms(result), 1e-9) * np.float32(0.3)
        for k in range(1, 8):
            tone = np.sin(2 * np.pi * base_hz * k * time_s + draw.uniform(0, 6.28)) * draw.uniform(0, 1.0 / k)
            result += tone.astype(np.float32)
    elif kind == "babble" and voices:
        result = np.zeros(count, np.float32)
        for voice in voices:
            start = int(draw.integers(0, max(1, len(voice))))
            result += np.resize(np.roll(voice, -start), count) / max(rms(voice), 1e-6)
    elif kind == "street":
        swell = 1.0 + 0.8 * np.sin(2 * np.pi * draw.uniform(0.1, 0.5) * time_s + draw.uniform(0, 6.28))
        result = _shaped(draw, count, 0.8) * swell.astype(np.float32)
    elif kind == "fan":
        result = band(draw.standard_normal(count).astype(np.float32), rate_hz, 180.0, draw.uniform(400, 900), order=2)
    else:
        result = _shaped(draw, count, 0.5)
    return np.asarray(result / max(rms(np.asarray(result, np.float32)), 1e-9), np.float32)


def add_noise(samples: Samples, noise_samples: Samples, snr_db: float) -> Samples:
    """Mix noise of root mean square 1 under the voice, `snr_db` below its voiced level."""
    return samples + noise_samples * np.float32(voiced_rms(samples) * 10 ** (-snr_db / 20))


def lose_packets(draw: np.random.Generator, samples: Samples, rate_hz: int, share: float, repeat: bool) -> Samples:
    """Lose that share of the 20 ms packets: silence in their place, or the packet before once more."""
    size = rate_hz // 50
    result = samples.copy()
    for index in np.flatnonzero(draw.random(len(samples) // size) < share):
        place = slice(index * size, (index + 1) * size)
        result[place] = result[(index - 1) * size : index * size] * np.float32(0.7) if repeat and index else 0.0
    return result


def telephone(
    samples: Samples, rate_hz: int, snr_db: float, draw: np.random.Generator, codec: str = "pcma"
) -> tuple[Samples, int]:
    """A plain telephone line: 300 to 3,400 Hz at 8 kHz, white noise, G.711. Returns samples and 8,000."""
    narrow = band(resample(samples, rate_hz, 8000), 8000, 300.0, 3400.0)
    noisy = add_noise(level(narrow, -24.0), noise(draw, "white", len(narrow), 8000), snr_db)
    return g711(noisy, codec), 8000
