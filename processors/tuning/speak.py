"""Mandarin speech synthesis by espeak-ng in this process: text in, samples out, far faster than real time.

Two engines exist. `bundled` is espeak-ng 1.52 from the wheel `espeakng-loader`, which speaks Mandarin syllables with
their tones. `system` is the libespeak-ng that the machine has, if any. Version 1.51, which Debian 12 ships, reads its
own Pinyin as if it were English ("nin two hao three"). That is not Mandarin, but synthetic test audio is often made by
it, so the model must know it, too.

It does not alter the sound: telephone bands, codecs and noise are in `channel.py`.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from processors.runtime.errors import UserError

Engine = Literal["bundled", "system"]
Samples = NDArray[np.float32]

BASE_VOICE = "cmn"
RATE_WPM = (80, 450)
"""Slowest and fastest speaking rate that espeak-ng accepts."""

_SYNCHRONOUS = 2
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_RANGE_DEFAULT = 50
_SYSTEM_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
)
_SYSTEM_DATA = (*_SYSTEM_LIBRARIES, "/usr/share", "/usr/local/share")

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Synthesiser:
    """One loaded espeak-ng library. The library keeps global state, so calls are serialised by a lock."""

    def __init__(self, library: str, data: Path) -> None:
        self._lock = threading.Lock()
        self._pieces: list[NDArray[np.int16]] = []
        try:
            self._lib: Any = ctypes.CDLL(library)
        except OSError as error:
            raise UserError(f"espeak-ng could not be loaded from {library}: {error}") from error
        self._callback: Callable[..., int] = _CALLBACK(self._collect)
        self._lib.espeak_Info.restype = ctypes.c_char_p
        self.sample_rate_hz: int = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), 0)
        if self.sample_rate_hz <= 0:
            raise UserError(f"espeak-ng found no voice data under {data}: install the package that ships it")
        self.version: str = self._lib.espeak_Info(None).decode()
        self.variants: tuple[str, ...] = tuple(sorted(p.name for p in (data / "voices" / "!v").iterdir()))
        self._lib.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, text: str, voice: str, rate: int, pitch: int, pitch_range: int, base: str) -> Samples:
        """Speak `text` with the voice variant `voice` ("" for the plain voice). Float32 samples in -1..1, mono."""
        name = f"{base}+{voice}" if voice else base
        with self._lock:
            if voice and voice not in self.variants:
                raise UserError(
                    f"espeak-ng {self.version} has no voice variant {voice!r}; it has {', '.join(self.variants)}"
                )
            if self._lib.espeak_SetVoiceByName(name.encode()) != 0:
                raise UserError(f"espeak-ng {self.version} has no voice {name!r}")
            for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
                self._lib.espeak_SetParameter(parameter, value, 0)
            self._pieces.clear()
            encoded = text.encode()
            self._lib.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
            self._lib.espeak_Synchronize()
            if not self._pieces:
                return np.zeros(0, np.float32)
            return (np.concatenate(self._pieces) / np.float32(32768.0)).astype(np.float32)


_loaded: dict[str, Synthesiser] = {}


def synthesiser(engine: Engine = "bundled") -> Synthesiser:
    """The engine, loaded once a process. Raises UserError when it is not there."""
    if engine not in _loaded:
        _loaded[engine] = _load(engine)
    return _loaded[engine]


def _load(engine: Engine) -> Synthesiser:
    if engine == "bundled":
        try:
            import espeakng_loader
        except ImportError as error:
            raise UserError("the package espeakng-loader is missing: run `make install`") from error
        return Synthesiser(str(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path()))
    # By full path: the loader would take the bundled library, which has the same soname, for a bare name.
    library = next((p for d in _SYSTEM_LIBRARIES if (p := Path(d) / "libespeak-ng.so.1").is_file()), None)
    folder = next((p for d in _SYSTEM_DATA if (p := Path(d) / "espeak-ng-data").is_dir()), None)
    if library is None or folder is None:
        raise UserError("this machine has no espeak-ng of its own: use the engine `bundled`, or install espeak-ng")
    return Synthesiser(str(library), folder)


def available(engine: Engine) -> bool:
    """Whether the engine can be loaded here."""
    try:
        synthesiser(engine)
    except UserError:
        return False
    return True


def speak(
    text: str,
    voice: str = "",
    rate: int = 175,
    pitch: int = 50,
    *,
    pitch_range: int = _RANGE_DEFAULT,
    engine: Engine = "bundled",
    base: str = BASE_VOICE,
) -> tuple[Samples, int]:
    """Speak Mandarin text.

    text: Chinese characters (numbers written out), or with `base="cmn-latn-pinyin"` syllables and tones ("nin2 hao3").
    voice: a voice variant of espeak-ng ("f2", "klatt", "Alex", ...), empty for the plain one. rate: 80 to 450 words a
    minute.
    pitch, pitch_range: 0 to 99. Returns float32 samples in -1..1 and the sample rate (22,050 Hz).
    Raises UserError when the engine or the voice does not exist.
    """
    source = synthesiser(engine)
    return source.speak(text, voice, rate, pitch, pitch_range, base), source.sample_rate_hz
