"""Recognition with a finished checkpoint, in batches: offline in one pass, or chunk by chunk as a live call is heard.

With `model.py` the only file of this folder that imports torch and NeMo. It is for measuring; live calls go through
`processors/speech`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from processors.tuning.channel import Samples
from processors.tuning.model import restore

BATCH = 24
FEATURES_PER_FRAME = 8


class Recogniser:
    """A checkpoint with greedy CTC decoding."""

    def __init__(self, path: Path) -> None:
        self.model = restore(path).eval()
        self.blank = len(self.model.tokenizer.vocab)
        listed = self.model.cfg.encoder.att_context_size
        self.contexts: list[tuple[int, int]] = [(int(left), int(right)) for left, right in listed]
        self.pieces = [p.removeprefix("##") for p in self.model.tokenizer.vocab]

    def offline(self, samples: Sequence[Samples], context: tuple[int, int]) -> list[str]:
        """The text of each signal, the whole of it seen at once, with this attention context."""
        return self._in_batches(samples, context, self._offline_batch)

    def stream(self, samples: Sequence[Samples], context: tuple[int, int]) -> list[str]:
        """The text of each signal, heard chunk by chunk through the caches of `cache_aware_stream_step`."""
        return self._in_batches(samples, context, self._stream_batch)

    def _in_batches(self, samples: Sequence[Samples], context: tuple[int, int], recognise: Any) -> list[str]:
        self.model.encoder.set_default_att_context_size(list(context))
        order = sorted(range(len(samples)), key=lambda i: len(samples[i]))
        result = [""] * len(samples)
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                for row, written in zip(rows, recognise([samples[i] for i in rows]), strict=True):
                    result[row] = written
        return result

    def _features(self, samples: Sequence[Samples]) -> tuple[Tensor, Tensor]:
        longest = max(len(s) for s in samples)
        signal = np.zeros((len(samples), longest), np.float32)
        for row, one in zip(signal, samples, strict=True):
            row[: len(one)] = one
        lengths = torch.tensor([len(s) for s in samples])
        features, length = self.model.preprocessor(input_signal=torch.from_numpy(signal), length=lengths)
        return features, length

    def _offline_batch(self, samples: Sequence[Samples]) -> list[str]:
        features, length = self._features(samples)
        encoded, encoded_length = self.model.encoder(audio_signal=features, length=length)
        return self._greedy(self.model.decoder(encoder_output=encoded), encoded_length)

    def _stream_batch(self, samples: Sequence[Samples]) -> list[str]:
        encoder = self.model.encoder
        encoder.setup_streaming_params()
        plan = encoder.streaming_cfg
        features, length = self._features(samples)
        caches = encoder.get_initial_cache_state(batch_size=len(samples))
        outputs: list[Tensor] = []
        done, total = 0, int(features.shape[2])
        while done < total:
            first = done == 0
            size = plan.chunk_size[0 if first else 1] if isinstance(plan.chunk_size, list) else plan.chunk_size
            shift = plan.shift_size[0 if first else 1] if isinstance(plan.shift_size, list) else plan.shift_size
            before = 0 if first else _second(plan.pre_encode_cache_size)
            chunk = features[:, :, max(0, done - before) : done + size]
            if chunk.shape[2] < before + FEATURES_PER_FRAME and not first:
                break  # less than one output frame is left
            encoded, _, *caches = encoder.cache_aware_stream_step(
                processed_signal=chunk,
                processed_signal_length=torch.full((len(samples),), chunk.shape[2]),
                cache_last_channel=caches[0],
                cache_last_time=caches[1],
                cache_last_channel_len=caches[2],
                keep_all_outputs=done + size >= total,
                drop_extra_pre_encoded=0 if first else plan.drop_extra_pre_encoded,
            )
            outputs.append(self.model.decoder(encoder_output=encoded))
            done += shift
        frames = torch.div(length - 1, FEATURES_PER_FRAME, rounding_mode="floor") + 1
        return self._greedy(torch.cat(outputs, dim=1), frames)

    def _greedy(self, log_probs: Tensor, length: Tensor) -> list[str]:
        best = log_probs.argmax(-1)
        result = []
        for row, count in zip(best, length.tolist(), strict=True):
            merged = torch.unique_consecutive(row[: int(count)]).tolist()
            result.append("".join(self.pieces[i] for i in merged if i != self.blank and i != 0))
        return result


def _second(value: Any) -> int:
    return int(value[1]) if isinstance(value, list | tuple) else int(value)
