"""G.711 against libsndfile, which is written by others."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from processors.ingest import g711
from processors.records import Encoding


@pytest.mark.parametrize(("encoding", "subtype"), [("pcmu", "ULAW"), ("pcma", "ALAW")])
def test_every_byte_decodes_as_in_libsndfile(encoding: Encoding, subtype: str) -> None:
    codes = bytes(range(256))
    expected, _ = soundfile.read(
        io.BytesIO(codes), samplerate=8000, channels=1, format="RAW", subtype=subtype, dtype="int16"
    )
    assert np.array_equal(g711.decode(codes, encoding), expected)


def test_every_sample_encodes_as_in_libsndfile() -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="RAW", subtype="ULAW")
    assert g711.encode_mu_law(samples) == file.getvalue()


def test_decoded_codes_encode_to_themselves() -> None:
    codes = bytes(code for code in range(256) if code != 0x7F)  # 0x7F is the other zero
    assert g711.encode_mu_law(g711.decode(codes, "pcmu")) == codes
