"""What is left out when the audio lags behind: partials first, then meaning, then acoustics, never utterances. Pure.

A restart makes a lag of some seconds, too, and leaves nothing out but partials, so that it changes no verdict.
"""

from __future__ import annotations

from processors.speech.timeline import Effort

PARTIALS_LAG_S = 5.0
MEANING_LAG_S = 120.0
ACOUSTICS_LAG_S = 240.0


def effort_at(lag_s: float) -> Effort:
    """What is still done when the oldest audio that was just read is so old."""
    return Effort(
        partials=lag_s < PARTIALS_LAG_S,
        meaning=lag_s < MEANING_LAG_S,
        acoustics=lag_s < ACOUSTICS_LAG_S,
        overloaded=lag_s >= PARTIALS_LAG_S,
    )
