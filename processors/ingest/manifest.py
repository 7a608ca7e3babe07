"""Reads a manifest: a CSV table that names recordings and what is known about their calls.

Pure: bytes in, entries and refusals out. A row that is wrong is refused with its line and the others go on; only a
table without a usable heading is an error as a whole. Excel's habits are understood: byte order mark, GBK, semicolons.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast, get_args

from processors.records import Direction, Role
from processors.runtime.errors import BadRecord, UserError

COLUMNS = (
    "call_id",
    "path",
    "agent_id",
    "team_id",
    "customer_id",
    "scenario",
    "queue",
    "direction",
    "started_at",
    "channels",
)
FURTHER = ("language", "ruleset")
"""Columns with a meaning of their own that need not be there; every other one becomes an attribute."""
TIME_FORMS = ("", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
"""Tried in this order; the empty one is ISO 8601."""
MAX_ID = 200
MAX_FIELD = 10_000
LATEST_MS = 253_402_300_799_000
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording to inspect, and what is known about its call."""

    call_id: str  # "" = named after the file
    path: str  # as written; relative to the manifest
    place: str = ""  # where it is named, for messages: "line 7" or ""
    started_at_ms: int | None = None  # UTC; None = the time of the file
    channels: tuple[Role, ...] = ()  # () = the default for its number of channels
    direction: Direction = "unknown"
    agent_id: str = ""
    team_id: str = ""
    customer_id: str = ""
    scenario: str = ""
    queue: str = ""
    language: str = ""
    ruleset: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A recording that is not inspected, and why, for people."""

    path: str
    reason: str


def parse_manifest(data: bytes, name: str) -> tuple[list[Entry], list[Skipped]]:
    """Entries and refused rows, both in the order of the table. UserError when the table as a whole is not usable."""
    text = _text(data, name)
    heading_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=heading_line.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    lines_of_ids: dict[str, int] = {}
    try:
        heading = _heading(next(rows, []), name)
        for row in rows:
            if not any(value.strip() for value in row):
                continue
            try:
                entries.append(_entry(heading, row, rows.line_num, lines_of_ids))
            except BadRecord as error:
                path = row[heading.index("path")].strip() if len(row) > heading.index("path") else ""
                skipped.append(Skipped(path or name, f"line {rows.line_num} of {name}: {error}"))
    except csv.Error as error:
        raise UserError(f"{name}:{rows.line_num}: this is not a CSV table ({error})", 2) from None
    return entries, skipped


def _text(data: bytes, name: str) -> str:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UserError(f"{name}: this is not a text file in UTF-8 or GBK; save the table as CSV UTF-8", 2)


def _heading(row: list[str], name: str) -> list[str]:
    names = [column.strip() for column in row]
    heading = [name.lower() if name.lower() in COLUMNS + FURTHER else name for name in names]
    if "path" not in heading:
        raise UserError(f"{name}:1: there is no column `path`; a manifest begins with the line {','.join(COLUMNS)}", 2)
    twice = [column for column in heading if column and heading.count(column) > 1]
    if twice:
        raise UserError(f"{name}:1: there are two columns `{twice[0]}`", 2)
    return heading


def _entry(heading: list[str], row: list[str], line: int, lines_of_ids: dict[str, int]) -> Entry:
    values = dict(zip(heading, map(str.strip, _fitted(heading, row)), strict=True))
    for column, value in values.items():
        if len(value) > MAX_FIELD or any(ord(sign) < 32 for sign in value):
            raise BadRecord(f"`{column}` has control characters or is too long")
    path, call_id = values["path"], values.get("call_id", "")
    if not path:
        raise BadRecord("`path` is empty")
    if len(call_id) > MAX_ID:
        raise BadRecord(f"`call_id` is longer than {MAX_ID} characters")
    entry = Entry(
        call_id=call_id,
        path=path,
        place=f"line {line}",
        started_at_ms=parse_time(values["started_at"]) if values.get("started_at") else None,
        channels=parse_roles(values.get("channels", "")),
        direction=parse_direction(values.get("direction", "")),
        **{
            column: values.get(column, "")
            for column in ("agent_id", "team_id", "customer_id", "scenario", "queue", "language", "ruleset")
        },
        attributes={
            column: value for column, value in values.items() if column and value and column not in COLUMNS + FURTHER
        },
    )
    if call_id and lines_of_ids.setdefault(call_id, line) != line:
        raise BadRecord(f"the call_id {call_id!r} is already used in line {lines_of_ids[call_id]}")
    return entry


def _fitted(heading: list[str], row: list[str]) -> list[str]:
    """The row with as many fields as the heading. `channels` at its end may hold commas nobody quoted."""
    if len(row) > len(heading) and heading[-1] == "channels":
        return [*row[: len(heading) - 1], ",".join(row[len(heading) - 1 :])]
    if len(row) > len(heading) and any(value.strip() for value in row[len(heading) :]):
        raise BadRecord(f"{len(row)} fields, but {len(heading)} in the heading; put quotes around a field with a comma")
    return (row + [""] * (len(heading) - len(row)))[: len(heading)]


def parse_roles(text: str) -> tuple[Role, ...]:
    """`agent,customer` (also with `;`, `|`, `/` or blanks) to roles, by channel. Raises BadRecord."""
    roles = "".join("," if sign in ";|/ ，；" else sign for sign in text.lower()).split(",")
    known = get_args(Role)
    for role in filter(None, roles):
        if role not in known:
            raise BadRecord(f"the role {role!r} is not known; known are {', '.join(known)}")
    return tuple(cast("Role", role) for role in roles if role)


def parse_direction(text: str) -> Direction:
    """Raises BadRecord when there is no such direction; empty means unknown."""
    known = get_args(Direction)
    if text and text.lower() not in known:
        raise BadRecord(f"the direction {text!r} is not known; known are {', '.join(known)}")
    return cast("Direction", text.lower() or "unknown")


def parse_time(text: str) -> int:
    """ISO 8601, Excel's `2026/1/5 9:03`, or epoch seconds or milliseconds, to UTC epoch milliseconds.

    A time without an offset is taken as UTC, so that the result does not depend on the machine. Raises BadRecord.
    """
    if text.isdecimal() and text.isascii() and len(text) in (10, 13):
        return int(text) * (1000 if len(text) == 10 else 1)
    plain = text.replace("/", "-")
    for form in TIME_FORMS:
        try:
            time = datetime.strptime(plain, form) if form else datetime.fromisoformat(plain)
            at_ms = round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            continue
        if 0 <= at_ms <= LATEST_MS:
            return at_ms
    raise BadRecord(f"the time {text!r} is not understood; write it like 2026-01-05T09:03:00+08:00")


def call_id_of(relative: Path) -> str:
    """Name of a call after its file: the relative path without suffix; what is no letter or digit becomes a dash."""
    text = "-".join(relative.with_suffix("").parts)
    safe = "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in text).strip("-.")
    return safe[:MAX_ID] or "call"
