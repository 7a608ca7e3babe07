"""Makes the six demo calls: script in, two-channel telephone recordings, manifest and ground truth out.

`python -m processors.tuning.demo_calls` rewrites processors/ingest/demo/ from the script and fixed seeds.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from processors.tuning.channel import Samples, band, level, resample
from processors.tuning.speak import Engine, speak

SCRIPT = Path(__file__).with_name("demo_calls.yaml")
TARGET = Path(__file__).resolve().parents[1] / "ingest" / "demo"
ROLES = ("agent", "customer")
RATE_HZ = 8000
LEVEL_DB = -24.0
NOISE_DB = -58.0
GAP_S = 0.5
LEAD_S = 0.6
ENGINE: Engine = "system"
TAIL_S = 1.5
STARTED_AT = "2026-01-05T09:{:02d}:00+08:00"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a call, as it is really spoken. Times are call time, without silence around the voice."""

    role: str
    start_ms: int
    end_ms: int
    text: str


def render(call: Mapping[str, Any], draw: np.random.Generator) -> tuple[Samples, list[Line]]:
    """Speak a call. Returns float32 samples of shape (time, 2) at 8 kHz, agent first, and its lines."""
    placed: list[tuple[int, int, Samples]] = []
    lines: list[Line] = []
    cursor = round(LEAD_S * RATE_HZ)
    for line in call["lines"]:
        role = next(role for role in ROLES if role in line)
        samples = _say(line[role], {**call[role], **line.get("voice", {})})
        start = max(0, cursor + round(line.get("gap", GAP_S) * RATE_HZ))
        placed.append((ROLES.index(role), start, samples))
        cursor = start + len(samples)
        lines.append(Line(role, start * 1000 // RATE_HZ, cursor * 1000 // RATE_HZ, line[role]))
    length = max(start + len(samples) for _, start, samples in placed) + round(TAIL_S * RATE_HZ)
    audio = draw.normal(0.0, 10 ** (NOISE_DB / 20), (length, len(ROLES))).astype(np.float32)
    for channel, start, samples in placed:
        audio[start : start + len(samples), channel] += samples
    return np.clip(audio, -1.0, 1.0), lines


def _say(text: str, voice: Mapping[str, Any]) -> Samples:
    samples, rate_hz = speak(text, voice["voice"], voice["rate"], voice["pitch"], engine=ENGINE)
    narrow = band(resample(_trimmed(samples), rate_hz, RATE_HZ), RATE_HZ, 300, 3400)
    return level(narrow, LEVEL_DB + voice.get("level_db", 0))


def _trimmed(samples: Samples) -> Samples:
    """Without the silence before and after the voice."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def write_calls(script: Path = SCRIPT, target: Path = TARGET) -> None:
    """Write the recordings (mu-law WAV), manifest.csv and expected.yaml into `target`."""
    calls = yaml.safe_load(script.read_text(encoding="utf-8"))
    target.mkdir(parents=True, exist_ok=True)
    rows, truth = [], []
    for number, call in enumerate(calls):
        audio, lines = render(call, np.random.default_rng(number))
        name = f"{call['call_id']}.wav"
        soundfile.write(target / name, audio, RATE_HZ, subtype="ULAW")
        rows.append(_manifest_row(call, name, number))
        truth.append(
            {
                "call_id": call["call_id"],
                "expect": call["expect"],
                "may": call.get("may", []),
                "lines": [f"{x.role} {x.start_ms / 1000:.2f}-{x.end_ms / 1000:.2f} {x.text}" for x in lines],
            }
        )
    with (target / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    text = yaml.safe_dump(truth, allow_unicode=True, sort_keys=False, width=200)
    (target / "expected.yaml").write_text(text, encoding="utf-8")


def _manifest_row(call: Mapping[str, Any], path: str, number: int) -> dict[str, str]:
    return {
        "call_id": call["call_id"],
        "path": path,
        "agent_id": call["agent"]["agent_id"],
        "team_id": call["agent"]["team_id"],
        "customer_id": call["customer"]["customer_id"],
        "scenario": call["scenario"],
        "queue": "",
        "direction": "inbound" if call["scenario"] == "service" else "outbound",
        "started_at": STARTED_AT.format(number * 5),
        "channels": ",".join(ROLES),
    }


if __name__ == "__main__":
    write_calls()
