"""Effects of a telephone line: lengths stay, levels are what was asked for, bands and codecs do what they say."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from processors.tuning import channel

RATE_HZ = 8000


def tone(frequency_hz: float, seconds: float = 1.0, rate_hz: int = RATE_HZ, peak: float = 0.5) -> channel.Samples:
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    return (peak * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def test_level_is_what_was_asked_for_and_silence_stays_silence() -> None:
    assert 20 * np.log10(channel.voiced_rms(channel.level(tone(440), -30.0))) == pytest.approx(-30.0, abs=0.05)
    assert not channel.level(np.zeros(800, np.float32), -30.0).any()


@pytest.mark.parametrize("codec", ["pcmu", "pcma"])
def test_g711_gives_the_levels_that_libsndfile_decodes(codec: str) -> None:
    subtype = {"pcmu": "ULAW", "pcma": "ALAW"}[codec]
    raw = io.BytesIO(bytes(range(256)))
    decoded, _ = soundfile.read(raw, dtype="float32", format="RAW", subtype=subtype, samplerate=RATE_HZ, channels=1)

    np.testing.assert_array_equal(channel.G711_LEVELS[codec], np.unique(decoded))
    once = channel.g711(tone(300), codec)
    assert set(once.tolist()) <= set(decoded.tolist())
    assert channel.rms(once - tone(300)) < 0.01
    np.testing.assert_array_equal(channel.g711(once, codec), once)


def test_band_keeps_the_middle_and_removes_what_lies_outside() -> None:
    def gain_db(frequency_hz: float) -> float:
        heard = channel.band(tone(frequency_hz), RATE_HZ, 300.0, 3400.0)
        return float(20 * np.log10(channel.rms(heard[800:]) / channel.rms(tone(frequency_hz)[800:])))

    assert abs(gain_db(1000)) < 0.5
    assert gain_db(100) < -30
    assert gain_db(3900) < -10


@pytest.mark.parametrize("kind", [*channel.NOISES, *channel.HELD_OUT_NOISES])
def test_noise_has_its_length_and_unit_power_and_mixes_at_the_wanted_distance(kind: str) -> None:
    draw = np.random.default_rng(1)
    made = channel.noise(draw, kind, 4001, RATE_HZ, [tone(200), tone(700)])

    assert len(made) == 4001
    assert channel.rms(made) == pytest.approx(1.0, rel=1e-3)
    voice = tone(440, 4001 / RATE_HZ)
    rest = channel.add_noise(voice, made, 20.0) - voice
    assert 20 * np.log10(channel.voiced_rms(voice) / channel.rms(rest)) == pytest.approx(20.0, abs=0.1)


def test_training_and_held_out_noises_are_different_ones() -> None:
    assert not set(channel.NOISES) & set(channel.HELD_OUT_NOISES)


def test_lost_packets_become_silence_or_repetition_in_whole_packets() -> None:
    voice = tone(440)
    silent = channel.lose_packets(np.random.default_rng(2), voice, RATE_HZ, 0.2, repeat=False)
    packets = silent.reshape(-1, RATE_HZ // 50)

    lost = [not packet.any() for packet in packets]
    assert len(silent) == len(voice)
    assert 3 <= sum(lost) <= 20
    kept = [not gone for gone in lost]
    np.testing.assert_array_equal(packets[kept], voice.reshape(-1, RATE_HZ // 50)[kept])


def test_bending_moves_the_pitch_and_the_length() -> None:
    bent = channel.bend(tone(400, rate_hz=16000), 16000, 1.25)
    peak_hz = np.argmax(np.abs(np.fft.rfft(bent))) * 16000 / len(bent)

    assert len(bent) == pytest.approx(16000 / 1.25, rel=0.01)
    assert peak_hz == pytest.approx(500, rel=0.02)


def test_clipping_flattens_the_peaks_only() -> None:
    heard = channel.clip(tone(440), 0.5)

    assert np.max(np.abs(heard)) == pytest.approx(0.25, abs=1e-3)


def test_a_telephone_line_is_8_khz_g711() -> None:
    heard, rate_hz = channel.telephone(tone(440, rate_hz=22050), 22050, 20.0, np.random.default_rng(3), "pcmu")

    assert rate_hz == 8000
    assert abs(len(heard) - 8000) < 20
    assert set(np.unique(heard).tolist()) <= set(channel.G711_LEVELS["pcmu"].tolist())
