"""Who may come in at a live door, under which name, and how fast.

Pure: the clock is given. No sockets here; what the answers mean on the wire is said in `server`.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, urlsplit

from processors.ingest.dialects import twilio
from processors.runtime.errors import BadRecord

SPEED_MAX = 2.0
"""A stream may go so many times faster than the clock; a faster one is read more slowly."""
BURST_MS = 30_000
"""Call time a stream may be ahead of that, for example after a network stall."""
RUNAWAY_MS = 60_000
"""Further ahead than this, the timestamps are wrong."""
MESSAGES_PER_S = 500
"""Two tracks have 100; more is read more slowly."""
MESSAGES_BURST = 2_500
REMEMBERED_IDS = 10_000


class Refused(Exception):
    """The stream may not come in. `code` is the WebSocket close code, `cause` a short word for the metrics."""

    def __init__(self, code: int, cause: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause


class CallIds:
    """Names of open calls, and of streams that went before under the same phone call."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._streams: OrderedDict[str, int] = OrderedDict()

    def take(self, start: twilio.Start) -> str:
        """The name of a new call. Raises Refused when it is open already.

        A `call_id` of the client's own is used as it is, however often: it is the client's identity. The second stream
        of one phone call is a new call, `<callSid>.2`, so that it does not overwrite the first.
        """
        call_id = start.call_id
        if not call_id:
            sid = start.call_sid or start.stream_sid
            number = self._streams.get(sid, 0) + 1
            self._streams[sid] = number
            self._streams.move_to_end(sid)
            while len(self._streams) > REMEMBERED_IDS:
                self._streams.popitem(last=False)
            call_id = sid if number == 1 else f"{sid}.{number}"
        if call_id in self._open:
            raise Refused(4409, "call_id_in_use", f"the call {call_id} is already open on another connection")
        self._open.add(call_id)
        return call_id

    def release(self, call_id: str) -> None:
        """The call has ended."""
        self._open.discard(call_id)


class Pace:
    """How fast one stream may be read."""

    def __init__(self, now_s: float) -> None:
        self._begun_s = now_s
        self._messages = 0

    def wait_s(self, now_s: float, call_ms: int) -> float:
        """Count a message; how long to wait before the next one. BadRecord when the timestamps run away."""
        self._messages += 1
        elapsed_s = now_s - self._begun_s
        ahead_ms = call_ms - elapsed_s * 1000 * SPEED_MAX - BURST_MS
        if ahead_ms > RUNAWAY_MS:
            raise BadRecord(f"the timestamps are {(call_ms / 1000 - elapsed_s):.0f} s ahead of the clock")
        too_many = self._messages - elapsed_s * MESSAGES_PER_S - MESSAGES_BURST
        return max(0.0, ahead_ms / 1000 / SPEED_MAX, too_many / MESSAGES_PER_S)


class Addresses:
    """Open connections by address, so that one client cannot take all of them."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count a connection; False when the address has too many."""
        count = self._open.get(address, 0)
        if count >= self._maximum:
            return False
        self._open[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """A counted connection is gone."""
        count = self._open.get(address, 0) - 1
        if count > 0:
            self._open[address] = count
        else:
            self._open.pop(address, None)


def token_given(path: str, headers: Iterable[tuple[str, str]]) -> str:
    """Token of a handshake: `Authorization: Bearer ...` or `?token=...`."""
    for name, value in headers:
        if name.lower() == "authorization" and value.lower().startswith("bearer "):
            return value[7:].strip()
    try:
        return parse_qs(urlsplit(path).query, max_num_fields=20).get(twilio.TOKEN_PARAMETER, [""])[0]
    except ValueError:
        return ""


def same(secret: str, given: str) -> bool:
    """Comparison that takes the same time wherever the texts differ."""
    return hmac.compare_digest(secret.encode("utf-8", "replace"), given.encode("utf-8", "replace"))


def signed_by_twilio(auth_token: str, public_url: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether the handshake carries Twilio's signature of this address."""
    given = headers.get("X-Twilio-Signature", "")
    host = headers.get("Host", "")
    urls = [public_url] if public_url else [f"wss://{host}{path}", f"ws://{host}{path}"]
    return any(same(twilio.signature(auth_token, url), given) for url in urls)
