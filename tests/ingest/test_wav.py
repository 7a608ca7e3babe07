"""WAV files as they should be, against libsndfile, and as they should not be."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from processors.ingest.recordings import open_recording
from processors.ingest.samples import split_channels
from processors.ingest.wav import WavLayout, read_layout
from processors.runtime.errors import BadRecord

TONE = (np.sin(np.arange(16_000) / 9.0)[:, None] * np.array([0.5, -0.3])).astype(np.float32)
DEFAULT_FORMAT = (1, 2, 8000, 16)


def wav(
    data: bytes = bytes(8000),
    *,
    form: tuple[int, int, int, int] = DEFAULT_FORMAT,
    data_size: int | None = None,
    riff_size: int = 36,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A WAV file with whatever sizes one likes. `form` is tag, channels, rate, bits."""
    tag, channels, rate, bits = form
    block = channels * bits // 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * block % 2**32, block, bits)
    size = len(data) if data_size is None else data_size
    head = b"RIFF" + struct.pack("<I", riff_size) + b"WAVE"
    return head + before + fmt + b"data" + struct.pack("<I", size) + data + after


def layout_of(raw: bytes) -> WavLayout:
    return read_layout(io.BytesIO(raw), len(raw))


def written(folder: Path, raw: bytes, name: str = "x.wav") -> Path:
    path = folder / name
    path.write_bytes(raw)
    return path


def samples_of(path: Path) -> np.ndarray:
    """What is inspected of a file, as 16 bit samples of shape (time, channels)."""
    recording = open_recording(path)
    channels = [b"".join(parts) for parts in zip(*recording.blocks(), strict=True)]
    if recording.encoding != "pcm_s16le":
        kind = recording.encoding
        channels = [split_channels(c, kind, 8, 1, "pcm_s16le")[0] for c in channels]
    return np.stack([np.frombuffer(channel, "<i2") for channel in channels], axis=1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_samples_are_those_of_libsndfile(tmp_path: Path, form: str, subtype: str, rate_hz: int, channels: int) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, TONE[:, :channels], rate_hz, subtype=subtype, format=form)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.abs(samples_of(path) / 32768 - expected).max() < 2 / 32768
    recording = open_recording(path)
    assert (recording.rate_hz, recording.channels, recording.note) == (rate_hz, channels, "")


@pytest.mark.parametrize(("subtype", "encoding"), [("ULAW", "pcmu"), ("ALAW", "pcma")])
def test_telephone_bytes_stay_as_they_are(tmp_path: Path, subtype: str, encoding: str) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, TONE, 8000, subtype=subtype)
    recording = open_recording(path)
    raw = path.read_bytes()[-32_000:]
    assert recording.encoding == encoding
    assert next(iter(recording.blocks())) == [raw[0::2], raw[1::2]]


@pytest.mark.parametrize(
    "data_size",
    [0, 0xFFFFFFFF, 0x7FFFFFFF, 100, 7_999, 8_001, 1_000_000, 0xFFFFFFFF - 36],
    ids=["zero", "unknown", "largest", "too small", "odd", "one more", "far too large", "streamed"],
)
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFFFFFF])
def test_sizes_that_lie_do_not_hide_audio(data_size: int, riff_size: int) -> None:
    noise = np.random.default_rng(3).integers(-9000, 9000, 4000).astype("<i2").tobytes()
    layout = layout_of(wav(noise, data_size=data_size, riff_size=riff_size))
    assert layout.data_bytes in (7996, 8000)  # fewer than eight bytes behind the samples are padding


def test_a_truncated_file_is_inspected_up_to_its_end_and_says_so() -> None:
    layout = layout_of(wav(bytes(range(256)) * 125, data_size=64_000))
    assert layout.duration_ms == 1000
    assert layout.note == "truncated: the header promises 2.0 s, the file has 1.0 s"


def test_chunks_around_the_samples_are_not_audio() -> None:
    info = b"LIST" + struct.pack("<I", 4) + b"INFO"
    odd = b"cue " + struct.pack("<I", 3) + b"abc\0"
    assert layout_of(wav(bytes(4000), before=odd + info, after=info + odd)).data_bytes == 4000
    assert layout_of(wav(bytes(4000), after=bytes(512))).data_bytes == 4000


def test_bytes_of_an_incomplete_frame_are_left_out() -> None:
    assert layout_of(wav(bytes(range(1, 8)), data_size=0xFFFFFFFF)).data_bytes == 4


def test_a_header_of_more_than_four_gigabytes_is_understood() -> None:
    wide = b"ds64" + struct.pack("<IQQQI", 28, 2**33, 8000, 2000, 0)
    raw = b"RF64" + wav(bytes(8000), before=wide, data_size=0xFFFFFFFF, after=b"LIST\x04\0\0\0INFO")[4:]
    assert layout_of(raw).data_bytes == 8000


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "the file is empty"),
        (b"RIFF", "ends within its header"),
        (b"RIFF\0\0\0\0WAVE", "ends within its header"),
        (wav()[:30], "cut short"),
        (wav(b""), "there is no audio in it"),
        (wav(b"\x01"), "there is no audio in it"),
        (b"Dear colleague, this is not audio.", "begins like text"),
        ("您好，这不是录音".encode(), "begins like text"),
        (wav(form=(1, 0, 8000, 16)), "0 channels"),
        (wav(form=(1, 6, 8000, 16)), "6 channels"),
        (wav(form=(1, 2, 0, 16)), "sample rate is 0 Hz"),
        (wav(form=(1, 2, 4_000_000_000, 16)), "sample rate is 4000000000 Hz"),
        (wav(form=(1, 2, 96_000, 16)), "sample rate is 96000 Hz"),
        (wav(form=(1, 2, 8000, 0)), "0 bits a sample"),
        (wav(form=(1, 2, 8000, 12)), "12 bits a sample"),
        (wav(form=(3, 2, 8000, 16)), "16 bits a sample"),
        (wav(form=(0xFFFE, 2, 8000, 16)), "extensible"),
        (wav(form=(0x11, 1, 8000, 4)), "IMA ADPCM"),
        (wav(form=(0x1234, 1, 8000, 16)), "0x1234"),
        (b"RIFF\0\0\0\0WAVEdata\x08\0\0\0abcdefgh", "no format before its samples"),
        (b"RIFF\0\0\0\0AVI LIST", "RIFF header is missing"),
        (bytes(100), "RIFF header is missing"),
    ],
)
def test_what_cannot_be_inspected_is_refused_with_a_reason(tmp_path: Path, raw: bytes, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        open_recording(written(tmp_path, raw))


def test_numbers_that_are_none_become_silence_or_full_scale() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 2.0, -2.0, 0.5], "<f4").tobytes()
    (payload,) = split_channels(values, "float", 32, 1, "pcm_s16le")
    assert np.frombuffer(payload, "<i2").tolist() == [0, 32767, -32767, 32767, -32768, 16384]


@pytest.mark.parametrize(
    ("suffix", "form", "subtype"),
    [
        (".flac", "FLAC", "PCM_16"),
        (".ogg", "OGG", "VORBIS"),
        (".mp3", "MP3", "MPEG_LAYER_III"),
        (".aiff", "AIFF", "PCM_16"),
        (".wav", "WAV", "IMA_ADPCM"),
        (".wav", "WAV", "GSM610"),
    ],
)
def test_other_formats_are_decoded_by_the_child(tmp_path: Path, suffix: str, form: str, subtype: str) -> None:
    path = tmp_path / f"x{suffix}"
    channels = 1 if subtype == "GSM610" else 2
    soundfile.write(path, TONE[:, :channels], 16_000, format=form, subtype=subtype)
    samples = samples_of(path)
    assert samples.shape[1] == channels
    assert abs(len(samples) - 16_000) < 1600
    assert 0.2 < np.abs(samples[2000:14_000, 0] / 32768).max() < 0.7


def test_a_format_nobody_reads_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"\.mp3 cannot be read"):
        open_recording(written(tmp_path, b"\xff\xfbgarbage" * 10, "x.mp3"))


def test_a_folder_a_missing_file_and_a_pipe_are_no_recordings(tmp_path: Path) -> None:
    import os

    (tmp_path / "d.wav").mkdir()
    os.mkfifo(tmp_path / "p.wav")
    for name, reason in [("d.wav", "folder"), ("p.wav", "not a regular file"), ("none.wav", "no such file")]:
        with pytest.raises(BadRecord, match=reason):
            open_recording(tmp_path / name)


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, wav(bytes(8000 * 4 * 30)))
    blocks = open_recording(path).blocks()
    next(blocks)
    path.write_bytes(wav(bytes(4000)))
    with pytest.raises(BadRecord, match="shorter"):
        list(blocks)


@given(st.binary(max_size=400), st.integers(0, 60))
def test_no_header_makes_the_reader_fail_in_another_way(noise: bytes, place: int) -> None:
    raw = wav(bytes(200))
    raw = raw[:place] + noise + raw[place + len(noise) :]
    try:
        layout = layout_of(raw)
    except BadRecord:
        return
    assert 0 < layout.data_bytes <= len(raw) - layout.data_start
    assert layout.data_bytes % layout.frame_bytes == 0
