"""Greedy decoding of what NeMo's encoder gives, on tensors; Python sees only the streams in which a token was found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from processors.runtime.errors import UserError

MOST_SYMBOLS = 10
"""Tokens of one frame, at most, of a transducer."""
CERTAIN = 0.95
"""A token that is so probable has no others."""
LEAST_OTHER = 0.015
"""Others are at least so probable; there are `MOST_OTHERS` at most."""
MOST_OTHERS = 6

Found = tuple[int, int, int, float, tuple[int, ...]]
"""Row of the batch, token (-1: the one before goes on), frame of the batch, confidence, other likely tokens."""


def likely_others(logs: Tensor, blank: int) -> list[tuple[int, ...]]:
    """The other likely tokens behind each row of log-probabilities, likeliest first; none where the best is certain."""
    values, tokens = logs.topk(min(MOST_OTHERS + 2, logs.shape[-1]))
    likely = (values > math.log(LEAST_OTHER)) & (tokens != blank)
    likely[:, 0] = False
    likely &= values[:, :1] < math.log(CERTAIN)
    return [tuple(row[good].tolist()[:MOST_OTHERS]) for row, good in zip(tokens.cpu(), likely.cpu(), strict=True)]


class Ctc:
    """Greedy decoding of CTC: a token each time the best one changes and is not blank."""

    def __init__(self, network: Any, slots: int) -> None:
        self._decoder = getattr(network, "ctc_decoder", None) or network.decoder
        self._blank = int(self._decoder.num_classes_with_blank) - 1
        self._last: NDArray[np.int64] = np.full(slots, self._blank)

    def decode(self, encoded: Tensor, slots: Tensor, new: int) -> list[Found]:
        """Tokens in the order of rows and frames. The first `new` rows begin."""
        outputs = self._decoder(encoder_output=encoded)
        logs, tokens = (each.cpu().numpy() for each in outputs.max(-1))
        rows = slots.cpu().numpy()
        last = self._last[rows]
        last[:new] = self._blank
        before = np.concatenate([last[:, None], tokens[:, :-1]], 1)
        self._last[rows] = tokens[:, -1]
        found: list[Found] = []
        places = np.nonzero(tokens != self._blank)
        for row, frame, others in zip(*places, likely_others(outputs[places], self._blank), strict=True):
            token = int(tokens[row, frame])
            goes_on = token == before[row, frame]
            found.append((int(row), -1 if goes_on else token, int(frame), float(np.exp(logs[row, frame])), others))
        return found


class Transducer:
    """Greedy decoding of RNNT, all rows of a batch frame by frame."""

    def __init__(self, network: Any, slots: int, device: torch.device) -> None:
        self._decoder, self._joint = network.decoder, network.joint
        self._blank = int(self._joint.num_classes_with_blank) - 1
        if self._joint.num_extra_outputs:
            raise UserError("transducers with durations (TDT) are not supported; use a CTC or RNNT checkpoint")
        self._last = torch.full((slots,), self._blank, device=device)
        start = self._decoder.initialize_state(torch.zeros(slots, 1, device=device))
        self._state: list[Tensor] = [torch.zeros_like(part) for part in start]  # each (layers, slots, width)

    def decode(self, encoded: Tensor, slots: Tensor, new: int) -> list[Found]:
        """Tokens in the order of frames. The first `new` rows begin."""
        rows = len(slots)
        keep = torch.arange(rows, device=encoded.device) >= new
        last = torch.where(keep, self._last[slots], self._blank)
        state = [part[:, slots] * keep[:, None] for part in self._state]
        seen = self._joint.project_encoder(encoded.transpose(1, 2))
        found: list[Found] = []
        for frame in range(seen.shape[1]):
            going = torch.ones(rows, dtype=torch.bool, device=encoded.device)
            for _ in range(MOST_SYMBOLS):
                output, after = self._decoder.predict(last[:, None], state, add_sos=False, batch_size=rows)
                said = self._joint.project_prednet(output)
                logits = self._joint.joint_after_projection(seen[:, frame : frame + 1], said)[:, 0, 0]
                likely = logits.float().log_softmax(-1)
                best, token = likely.max(-1)
                going = going & (token != self._blank)
                if not bool(going.any()):
                    break
                last = torch.where(going, token, last)
                state = [torch.where(going[:, None], a, b) for a, b in zip(after, state, strict=True)]
                chosen = going.nonzero()[:, 0]
                for row, others in zip(chosen.tolist(), likely_others(likely[chosen], self._blank), strict=True):
                    found.append((row, int(token[row]), frame, float(best[row].exp()), others))
        self._last[slots] = last
        for part, value in zip(self._state, state, strict=True):
            part[:, slots] = value
        return found
