"""The shell of training: worker processes make data, this one descends, and every few minutes it can be killed.

One resumable command. The learning rate follows the share of its time budget that a run has used, so that a run on a
busy machine makes fewer steps and still ends with its decay complete.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import torch

from processors.tuning.model import Trainee, bfloat16_is_fast, build, export, start_from
from processors.tuning.sounds import Example, Mixture
from processors.tuning.supply import stream
from processors.tuning.text import characters

log = structlog.get_logger()

SAVE_EVERY_S = 240.0
LOG_EVERY_STEPS = 50
CLIP_NORM = 1.0
PAUSE_S = 20.0
"""A step that took longer was stopped from outside; the time beyond is not counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A training run. hours: the budget of the whole run, over all its starts."""

    hours: float
    peak_rate: float = 8e-4
    warm_steps: int = 300
    aligned_steps: int = 1500
    short_share: float = 0.35
    threads: int = 2
    seed: int = 1
    front_every: int = 4


def rate_at(plan: Plan, step: int, spent_s: float) -> float:
    """The learning rate: up with the first steps, whatever they take, then down to zero with the end of the budget."""
    left = 1.0 - min(1.0, spent_s / (plan.hours * 3600))
    return plan.peak_rate * min(1.0, (step + 1) / plan.warm_steps) * left


class Run:
    """The state of a run: network, optimiser, and how far it is. It is what a checkpoint holds."""

    def __init__(self, trainee: Trainee, plan: Plan) -> None:
        self.trainee = trainee
        self.plan = plan
        self.optimiser = torch.optim.AdamW(
            trainee.parameters(), lr=plan.peak_rate, betas=(0.9, 0.98), weight_decay=1e-3
        )
        self.step = 0
        self.spent_s = 0.0
        self.pool_no = plan.seed * 1_000_000
        self.autocast = bfloat16_is_fast()

    @property
    def done(self) -> bool:
        return self.spent_s >= self.plan.hours * 3600

    def descend(self, examples: list[Example], aligned: bool) -> dict[str, float]:
        """One step on one batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.plan, self.step, self.spent_s)
        random.seed(self.step)  # NeMo draws the attention context from it
        torch.manual_seed(self.step)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss, parts = self.trainee.losses(
                self.trainee.batch(examples),
                train_front=aligned or self.step % self.plan.front_every == 0,
                aligned=aligned,
            )
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.trainee.parameters(), CLIP_NORM)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        return parts

    def save(self, path: Path) -> None:
        """Everything that going on needs, written beside and then put in place."""
        state = {
            "trainee": self.trainee.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
            "pool_no": self.pool_no,
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.trainee.load_state_dict(state["trainee"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spent_s, self.pool_no = state["step"], state["spent_s"], state["pool_no"]


def train(folder: Path, plan: Plan, mixture: Mixture, start: Path | None) -> Path:
    """Train in `folder` until the budget is spent, going on from what is there. Returns the finished `.nemo` file."""
    os.nice(19)
    torch.set_num_threads(plan.threads)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    run = Run(Trainee(start_from(start, characters()) if start else build(characters())), plan)
    run.trainee.train()
    saved = folder / "run.ckpt"
    if saved.is_file():
        run.load(saved)
        run.pool_no += 1
    log.info("training", step=run.step, spent_s=round(run.spent_s), hours=plan.hours, bfloat16=run.autocast)
    while not run.done:
        _stretch(run, saved, mixture, start is not None)
    result = folder / "model.nemo"
    export(run.trainee.model, result)
    return result


def snapshot(folder: Path, result: Path, start: Path | None) -> None:
    """Export what a run has learned so far. `start` is the checkpoint that it began with, if any."""
    run = Run(Trainee(start_from(start, characters()) if start else build(characters())), Plan(hours=1.0))
    run.load(folder / "run.ckpt")
    export(run.trainee.model, result)


def _stretch(run: Run, saved: Path, mixture: Mixture, warm: bool) -> None:
    """Train until the budget is spent or the mixture has to change: short sentences first, longer ones later."""
    share = run.spent_s / (run.plan.hours * 3600)
    short = not warm and share < run.plan.short_share
    current = Mixture(**{**_as_dict(mixture), "long_share": 0.0}) if short else mixture
    last = saved_at = time.monotonic()
    sums: dict[str, float] = {}
    for pool_no, examples in stream(saved.parent / "pools", run.pool_no, current):
        parts = run.descend(examples, aligned=not warm and run.step < run.plan.aligned_steps)
        now = time.monotonic()
        run.spent_s += min(now - last, PAUSE_S)
        last, run.pool_no = now, pool_no
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value
        if run.step % LOG_EVERY_STEPS == 0:
            means = {name: round(value / LOG_EVERY_STEPS, 3) for name, value in sums.items()}
            rate = rate_at(run.plan, run.step, run.spent_s)
            log.info("step", step=run.step, spent_s=round(run.spent_s), pool=pool_no, rate=f"{rate:.2e}", **means)
            sums = {}
        if now - saved_at > SAVE_EVERY_S or run.done:
            run.save(saved)
            saved_at = now
        if run.done or (short and run.spent_s >= run.plan.hours * 3600 * run.plan.short_share):
            run.save(saved)
            return


def _as_dict(mixture: Mixture) -> dict[str, Any]:
    return {name: getattr(mixture, name) for name in Mixture.__slots__}
