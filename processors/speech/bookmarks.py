"""What is stored of an open call, so that another process can go on with it: start, state, and from where to read.

One entry per open call in a compacted topic beside the media, written after the outputs that it contains are delivered
and removed when the call is over. It holds no audio and no word that was said. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from processors.records import CallStarted
from processors.runtime.errors import BadRecord
from processors.runtime.wire import decode, encode

VERSION = 1


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a call stands."""

    started: CallStarted
    offset: int  # media from here on must be read again; of an ended call the offset of its end
    state: dict[str, Any] | None  # None: the call is over

    def to_bytes(self) -> bytes:
        """Value of the entry."""
        plain = {
            "version": VERSION,
            "started": base64.b64encode(encode(self.started)).decode(),
            "offset": self.offset,
            "state": self.state,
        }
        return json.dumps(plain, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Bookmark:
        """From the value of an entry. BadRecord when it is none that this version can go on from."""
        try:
            plain = json.loads(value)
            started = decode(base64.b64decode(plain["started"]))
            version, offset, state = plain["version"], int(plain["offset"]), plain["state"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"damaged bookmark: {error}") from error
        if version != VERSION or not isinstance(started, CallStarted):
            raise BadRecord(f"bookmark of version {version}")
        return cls(started, offset, state)
