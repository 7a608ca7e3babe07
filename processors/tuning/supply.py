"""The data process of training: makes pools of examples ahead of the learner, into a bounded queue.

It loads no neural library, so that the second process costs a hundred megabytes and not a thousand.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import random
from collections.abc import Iterator
from typing import Any

from processors.tuning import sounds
from processors.tuning.sounds import Example, Mixture

QUEUE_BATCHES = 48
BATCH_WAIT_S = 300.0


def _make(out: Any, first_pool: int, mixture: Mixture) -> None:
    os.nice(19)
    number = first_pool
    while True:
        examples = sounds.pool(number, mixture)
        for group in sounds.batches(examples, mixture.batch_s, random.Random(number)):
            out.put((number, group))
        number += 1


def stream(first_pool: int, mixture: Mixture) -> Iterator[tuple[int, list[Example]]]:
    """Endless (pool number, batch), made by another process. Raises TimeoutError when that stops delivering."""
    context = multiprocessing.get_context("spawn")
    out: Any = context.Queue(QUEUE_BATCHES)
    worker = context.Process(target=_make, args=(out, first_pool, mixture), daemon=True)
    worker.start()
    try:
        while True:
            try:
                yield out.get(timeout=BATCH_WAIT_S)
            except queue.Empty as error:
                raise TimeoutError(f"the data process made nothing for {BATCH_WAIT_S:.0f} s") from error
    finally:
        worker.terminate()
