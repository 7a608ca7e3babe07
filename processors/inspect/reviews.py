"""Verdicts of reviewers as a CSV: `violation_id,verdict`, where a verdict is confirmed or overturned. Pure: text in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Final

from processors.runtime.errors import UserError

COLUMNS: Final = ("violation_id", "verdict")
VERDICTS: Final = ("confirmed", "overturned")


def read_reviews(text: str, name: str) -> Mapping[str, str]:
    """Verdict by violation id; of several the last counts. UserError names the wrong line; `name` is the file."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise UserError(f"{name}:1: no column {' and no column '.join(missing)}; needed are {', '.join(COLUMNS)}", 2)
    found: dict[str, str] = {}
    try:
        for row in rows:
            violation_id, verdict = ((row[column] or "").strip() for column in COLUMNS)
            if verdict not in VERDICTS:
                raise UserError(f"{name}:{rows.line_num}: verdict '{verdict}', not {' or '.join(VERDICTS)}", 2)
            if not violation_id:
                raise UserError(f"{name}:{rows.line_num}: no violation_id", 2)
            found[violation_id] = verdict
    except csv.Error as error:
        raise UserError(f"{name}:{rows.line_num}: {error}", 2) from error
    return found
