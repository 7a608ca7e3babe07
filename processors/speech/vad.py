"""From probabilities of speech to yes or no, window by window. Pure; the probabilities come from `model`."""

from __future__ import annotations

WINDOW = 512
"""Samples of a window at 16 kHz: 32 ms, five to a block."""
WINDOW_MS = 32
VAD_CONTEXT = 64
"""Samples before a window that the network sees, too."""
SPEECH_FROM = 0.5
"""Speech begins at this probability ..."""
SPEECH_WHILE = 0.35
"""... and lasts while it is not below this one, so that it does not flicker."""


class VoiceActivity:
    """Whether a channel speaks."""

    __slots__ = ("speaking",)

    def __init__(self, speaking: bool = False) -> None:
        self.speaking = speaking

    def observe(self, probability: float) -> bool:
        """The decision about the next window."""
        self.speaking = probability >= (SPEECH_WHILE if self.speaking else SPEECH_FROM)
        return self.speaking
