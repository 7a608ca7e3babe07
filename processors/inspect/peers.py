"""The table of the rule reference that says how the operators of five other products are written here.

`peers.yaml` holds its rows and their proof, which the tests run. Text in, text out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

ROWS: Final = Path(__file__).with_name("peers.yaml")


def peer_rows() -> list[dict[str, Any]]:
    """All rows, in the order of the file."""
    rows: list[dict[str, Any]] = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    return rows


def peer_table() -> str:
    """The rows that can be written, and those that can not, as two Markdown tables."""
    written = ["| product | operator | written here |", "|---|---|---|"]
    not_written = ["| product | operator | why not |", "|---|---|---|"]
    for row in peer_rows():
        head = f"| {row['peer']} | {_cell(row['operator'])} |"
        if "why" in row:
            not_written.append(f"{head} {_cell(row['why'])} |")
        else:
            written.append(f"{head} {_code(_written(row))} |")
    return "\n".join([*written, "", "What can not be written:", "", *not_written])


def _written(row: dict[str, Any]) -> list[str]:
    if "shown" in row:
        return [str(row["shown"])]
    parts = [str(row[key]) for key in ("beside", "scheme") if key in row]
    parts.append(str(row["when"]) if not parts and "alert" not in row else f"when: {row['when']}")
    return [*parts, *([f"alert: {row['alert']}"] if "alert" in row else [])]


def _code(parts: list[str]) -> str:
    return "<br>".join("`" + part.replace("|", "\\|") + "`" for part in parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
