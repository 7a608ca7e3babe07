"""The data process of training: makes pools of examples ahead of the learner and leaves them as files in a folder.

Files and not a queue, since a speech synthesiser in C may crash on an odd voice and takes its process with it: then
the learner starts another one behind the pool that was not made. It loads no neural library, so it is small.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from processors.tuning import sounds
from processors.tuning.sounds import Example, Mixture

log = structlog.get_logger()

POOLS_AHEAD = 3
LOOK_EVERY_S = 0.25
POOL_LIMIT_S = 240
"""A pool that takes longer hangs in the synthesiser: the alarm ends the process."""

CRASHES_IN_A_ROW_MAX = 5


def _make(folder: Path, number: int, mixture: Mixture) -> None:
    """Pools from `number` on. Each odd one is the pool before heard again, as synthesis takes a third of all work."""
    os.nice(19)
    parent = os.getppid()
    examples: list[Example] = []
    while True:
        while len(list(folder.glob("*.pool"))) >= POOLS_AHEAD:
            if os.getppid() != parent:  # the learner was killed
                return
            time.sleep(LOOK_EVERY_S)
        signal.alarm(POOL_LIMIT_S)
        temporary = folder / f"{number}.part"
        examples = sounds.again(number, examples) if examples and number % 2 else sounds.pool(number, mixture)
        temporary.write_bytes(pickle.dumps(examples, protocol=5))
        temporary.replace(folder / f"{number}.pool")
        signal.alarm(0)
        number += 1


def stream(folder: Path, first_pool: int, mixture: Mixture) -> Iterator[tuple[int, list[Example]]]:
    """Endless (pool number, batch), made by another process. Raises RuntimeError when that process keeps crashing."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.iterdir():
        left_over.unlink()
    context = multiprocessing.get_context("spawn")
    number, crashes = first_pool, 0
    worker = context.Process(target=_make, args=(folder, number, mixture), daemon=True)
    worker.start()
    try:
        while crashes < CRASHES_IN_A_ROW_MAX:
            file = folder / f"{number}.pool"
            if file.is_file():
                examples: list[Example] = pickle.loads(file.read_bytes())
                file.unlink()
                for group in sounds.batches(examples, mixture.batch_s, random.Random(number)):
                    yield number, group
                number, crashes = number + 1, 0
            elif worker.is_alive():
                time.sleep(LOOK_EVERY_S)
            elif not file.is_file():
                log.warning(
                    "the data process ended, another one goes on", exit_code=worker.exitcode, without_pool=number
                )
                number, crashes = number + 1, crashes + 1
                worker = context.Process(target=_make, args=(folder, number, mixture), daemon=True)
                worker.start()
        raise RuntimeError(f"the data process crashed {crashes} times in a row, last with code {worker.exitcode}")
    finally:
        worker.terminate()
