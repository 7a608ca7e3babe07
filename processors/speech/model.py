"""The networks: silero for voice activity, any cache-aware NeMo checkpoint for transcription, over batches of streams.

The only module of this processor that imports torch and NeMo. The caches of all streams lie in tensors with one row a
slot; a step gathers the rows of its batch, runs NeMo's `cache_aware_stream_step` on them and scatters them back. Greedy
decoding is done on tensors; Python sees only the streams in which a token was found. Does not know about calls.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from silero_vad import load_silero_vad
from torch import Tensor

from processors.runtime.errors import UserError
from processors.speech.recogniser import HALF_WINDOW, HOP, Grid, Piece, VadState, Work
from processors.speech.resample import RATE_HZ, Audio
from processors.speech.slots import Slots

MOST_SYMBOLS = 10
"""Tokens of one frame, at most, of a transducer."""
CERTAIN = 0.95
"""A token that is so probable has no others."""
LEAST_OTHER = 0.015
"""Others are at least so probable; there are `MOST_OTHERS` at most."""
MOST_OTHERS = 6


def load_network(path: Path | None, name: str, device: str) -> Any:
    """A NeMo model from a file or, without one, from a hub by name. UserError when it is none that can be used."""
    from nemo.collections.asr.models import ASRModel
    from nemo.utils import logging as nemo_logging

    nemo_logging.setLevel(logging.ERROR)
    if path is None:
        network = ASRModel.from_pretrained(name, map_location=device)
    else:
        network = ASRModel.restore_from(str(path), map_location=device)
    return network.eval()


class Silero:
    """Voice activity of many channels at once."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._net = load_silero_vad().to(self._device)._model

    @torch.inference_mode()
    def speech(self, states: Sequence[VadState], windows: Sequence[Audio]) -> tuple[list[list[float]], list[VadState]]:
        """See `Recogniser.speech`."""
        order = sorted(range(len(windows)), key=lambda i: -len(windows[i]))
        counts = [len(windows[i]) for i in order]
        if not counts or not counts[0]:
            return [[] for _ in windows], list(states)
        audio = torch.from_numpy(np.concatenate([windows[i] for i in order])).to(self._device)
        encoded = self._net.encoder(self._net.run_extractors(audio))[:, :, 0]
        begins = torch.tensor(np.cumsum([0, *counts[:-1]]))
        state = torch.from_numpy(np.stack([states[i] for i in order], 1)).to(self._device)
        found = torch.zeros(len(order), counts[0])
        for step in range(counts[0]):
            active = sum(1 for count in counts if count > step)
            heard, after = self._net.decoder(encoded[begins[:active] + step].unsqueeze(-1), state[:, :active])
            state = torch.cat([after, state[:, active:]], 1)
            found[:active, step] = heard.mean(-1).squeeze(1)
        probabilities, after_all = found.tolist(), state.cpu().numpy()
        result: list[list[float]] = [[] for _ in windows]
        new_states = list(states)
        for row, index in enumerate(order):
            result[index] = probabilities[row][: counts[row]]
            new_states[index] = after_all[:, row].copy()
        return result, new_states


@dataclass(slots=True)
class _Features:
    """NeMo's log-mel features without its padding, so that frames do not depend on where a chunk ends."""

    featurizer: Any
    device: torch.device

    def __call__(self, samples: list[Audio], begins: bool) -> Tensor:
        """Features of shape (batch, mel, frames) of equally long pieces; `begins`: of streams that begin with them."""
        audio = torch.from_numpy(np.stack(samples)).to(self.device)
        emphasis = self.featurizer.preemph
        if emphasis is not None:
            sharp = audio[:, 1:] - emphasis * audio[:, :-1]
            audio = torch.cat([audio[:, :1], sharp], 1) if begins else sharp
        elif not begins:
            audio = audio[:, 1:]
        if begins:
            audio = torch.nn.functional.pad(audio, (HALF_WINDOW, 0))
        frames = audio.unfold(1, 2 * HALF_WINDOW, HOP) * self.featurizer.window
        power = torch.fft.rfft(frames, n=self.featurizer.n_fft).abs().pow(self.featurizer.mag_power)
        mel = torch.matmul(power, self.featurizer.fb[0].T)
        guard = self.featurizer.log_zero_guard_value_fn(mel)
        add = self.featurizer.log_zero_guard_type == "add"
        return (torch.log(mel + guard) if add else torch.log(mel.clamp(min=guard))).transpose(1, 2)


class Nemo:
    """Transcription of many streams at once by a cache-aware NeMo model."""

    def __init__(self, network: Any, slots: int, context: Sequence[int] | None, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._encoder = network.encoder
        self._check(network, context)
        streaming = self._encoder.streaming_cfg
        self._drop = int(streaming.drop_extra_pre_encoded)
        self._tail = int(streaming.pre_encode_cache_size[1])
        self.grid = Grid(
            first_features=int(streaming.chunk_size[0]),
            features=int(streaming.chunk_size[1]),
            frames=int(streaming.valid_out_len),
            frame_ms=int(self._encoder.subsampling_factor) * HOP * 1000 // RATE_HZ,
            vocabulary=_vocabulary(network),
        )
        featurizer = network.preprocessor.featurizer
        self._features = _Features(featurizer, self._device)
        width = _quicken(self._encoder)
        self._head = _Transducer(network, slots, self._device) if _is_transducer(network) else _Ctc(network, slots)
        self._slots = Slots(slots)
        caches = self._encoder.get_initial_cache_state(slots, torch.float32, self._device)
        self._channel_cache, self._time_cache, self._length = caches
        self._channel_cache = torch.zeros(*caches[0].shape[:3], width, device=self._device)
        self._mel_tail = torch.zeros(slots, featurizer.nfilt, self._tail, device=self._device)

    def _check(self, network: Any, context: Sequence[int] | None) -> None:
        encoder, featurizer = self._encoder, network.preprocessor.featurizer
        offered = [list(each) for each in getattr(encoder, "att_context_size_all", [])]
        if context is None and offered:
            context = min(offered, key=lambda each: (each[-1] < 1, each[-1]))
        if context is not None:
            if list(context) not in offered:
                raise UserError(
                    f"the model has no attention context {list(context)}; set TINGJIAN_ASR_CONTEXT to one of {offered}"
                )
            encoder.set_default_att_context_size(list(context))
        streams = getattr(encoder, "att_context_style", "") == "chunked_limited" and min(encoder.att_context_size) >= 0
        if not streams or not isinstance(encoder.streaming_cfg.chunk_size, list):
            raise UserError("the model is not cache-aware: chunked, limited attention contexts are needed")
        if featurizer.normalize not in (None, "NA", "", "none"):
            raise UserError("the model normalises its features over whole files, which a stream can not")
        shape = (featurizer.win_length, featurizer.hop_length, network.preprocessor._cfg["sample_rate"])
        if shape != (2 * HALF_WINDOW, HOP, RATE_HZ) or featurizer.frame_splicing != 1 or featurizer.exact_pad:
            raise UserError(f"the model's features (window, hop, rate) are {shape}; 25 ms, 10 ms and 16 kHz are needed")

    @property
    def streams(self) -> int:
        """Slots in use."""
        return self._slots.taken

    def open(self) -> int | None:
        """Take a slot; None when all are taken. What it held before is never seen: chunk 0 begins from zero."""
        return self._slots.take()

    def close(self, slot: int) -> None:
        """Free a slot."""
        self._slots.give_back(slot)

    @torch.inference_mode()
    def transcribe(self, works: Sequence[Work]) -> list[list[Piece]]:
        """New tokens of each stream. Streams with the same number of chunks share a batch."""
        groups: dict[int, list[int]] = defaultdict(list)
        for index, work in enumerate(works):
            groups[work.chunks].append(index)
        found: list[list[Piece]] = [[] for _ in works]
        for indices in groups.values():
            # Streams that begin come first: their features are cut in another way.
            indices.sort(key=lambda i: works[i].chunk > 0)
            self._step([works[i] for i in indices], [found[i] for i in indices])
        return found

    def _step(self, works: list[Work], found: list[list[Piece]]) -> None:
        slots = torch.tensor([work.slot for work in works], device=self._device)
        new = sum(1 for work in works if work.chunk == 0)
        frames = self._pre_encode(works, slots, new)
        keep = torch.arange(len(works), device=self._device) >= new
        caches = (
            self._channel_cache[:, slots] * keep[:, None, None],
            self._time_cache[:, slots] * keep[:, None, None],
            self._length[slots] * keep,
        )
        lengths = torch.full((len(works),), frames.shape[1], device=self._device)
        encoded, _, *after = self._encoder.cache_aware_stream_step(
            processed_signal=frames,
            processed_signal_length=lengths,
            cache_last_channel=caches[0],
            cache_last_time=caches[1],
            cache_last_channel_len=caches[2],
            keep_all_outputs=True,
            bypass_pre_encode=True,
        )
        self._channel_cache[:, slots], self._time_cache[:, slots], self._length[slots] = after
        for row, token, frame, confidence, others in self._head.decode(encoded, slots, new):
            at = works[row].chunk * self.grid.frames + frame
            if token < 0:  # the token before goes on
                if found[row]:
                    found[row][-1] = found[row][-1]._replace(last_frame=at)
            else:
                found[row].append(Piece(token, at, at, round(confidence, 3), others))

    def _pre_encode(self, works: list[Work], slots: Tensor, new: int) -> Tensor:
        """Frames of shape (batch, frames, width) behind the convolutions that thin out the features."""
        parts = []
        if new:
            mel = self._features([work.samples for work in works[:new]], begins=True)
            parts.append(self._thin_out(mel))
            self._mel_tail[slots[:new]] = torch.nn.functional.pad(mel, (self._tail, 0))[:, :, -self._tail :]
        if new < len(works):
            mel = self._features([work.samples for work in works[new:]], begins=False)
            mel = torch.cat([self._mel_tail[slots[new:]], mel], 2)
            parts.append(self._thin_out(mel)[:, self._drop :])
            self._mel_tail[slots[new:]] = mel[:, :, -self._tail :]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _thin_out(self, mel: Tensor) -> Tensor:
        lengths = torch.full((len(mel),), mel.shape[2], device=self._device)
        frames, _ = self._encoder.pre_encode(x=mel.transpose(1, 2), lengths=lengths)
        return torch.as_tensor(frames)


class _Attention(torch.nn.Module):
    """NeMo's attention with relative positions; remembers keys and values instead of what they are made of.

    NeMo keeps the layer's input of the last 70 frames and projects all of it again at each step, 36 times the work of
    the two new frames. The same numbers come out; a step of 16 streams takes half the time.
    """

    def __init__(self, plain: Any) -> None:
        super().__init__()
        self.plain = plain
        self._weight = torch.cat([plain.linear_k.weight, plain.linear_v.weight]).detach()
        bias = plain.linear_k.bias
        self._bias = None if bias is None else torch.cat([bias, plain.linear_v.bias]).detach()
        self._positions: dict[tuple[int, int], Tensor] = {}

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, pos_emb: Tensor, cache: Tensor | None = None
    ) -> Any:
        """As NeMo's; the cache is of shape (batch, frames, keys and values)."""
        plain = self.plain
        if cache is None:
            return plain(query, key, value, mask, pos_emb)
        batch, new, width = query.shape
        both = torch.cat([cache, torch.nn.functional.linear(key, self._weight, self._bias)], 1)
        seen = both.shape[1]
        asked = plain.linear_q(query).view(batch, new, plain.h, plain.d_k)
        keys, values = both.view(batch, seen, 2, plain.h, plain.d_k).unbind(2)
        places = torch.matmul((asked + plain.pos_bias_v).transpose(1, 2), self._places(pos_emb, seen, new))
        content = torch.matmul((asked + plain.pos_bias_u).transpose(1, 2), keys.permute(0, 2, 3, 1))
        scores = (content + plain.rel_shift(places)[..., :seen]).div_(plain.s_d_k)
        scores.masked_fill_(mask.unsqueeze(1), -10_000.0)
        heard = torch.matmul(torch.softmax(scores, -1), values.transpose(1, 2))
        return plain.linear_out(heard.transpose(1, 2).reshape(batch, new, width)), both[:, new:]

    def _places(self, embedding: Tensor, seen: int, new: int) -> Tensor:
        """Projected relative positions of shape (heads, width, positions): the same at each step of a size."""
        if (seen, new) not in self._positions:
            count = seen + new - 1
            places = self.plain.linear_pos(embedding)[0, :count].view(count, self.plain.h, self.plain.d_k)
            self._positions[seen, new] = places.permute(1, 2, 0).contiguous()
        return self._positions[seen, new]


class _Pointwise(torch.nn.Module):
    """A convolution of one tap as the matrix product that it is."""

    def __init__(self, plain: Any) -> None:
        super().__init__()
        self._weight, self._bias = plain.weight[:, :, 0], plain.bias

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (batch, channels, time)."""
        return torch.nn.functional.linear(x.transpose(1, 2), self._weight, self._bias).transpose(1, 2)


def _quicken(encoder: Any) -> int:
    """Put the two above in place where they fit; returns the width of a row of the cache."""
    from nemo.collections.asr.parts.submodules.multi_head_attention import RelPositionMultiHeadAttention

    for layer in encoder.layers:
        for name in ("pointwise_conv1", "pointwise_conv2"):
            plain = getattr(layer.conv, name)
            if isinstance(plain, torch.nn.Conv1d) and plain.kernel_size == (1,):
                setattr(layer.conv, name, _Pointwise(plain))
    known = all(type(layer.self_attn) is RelPositionMultiHeadAttention for layer in encoder.layers)
    if not known or encoder.streaming_cfg.cache_drop_size:
        return int(encoder.d_model)
    for layer in encoder.layers:
        layer.self_attn = _Attention(layer.self_attn)
    return 2 * int(encoder.d_model)


Found = tuple[int, int, int, float, tuple[int, ...]]
"""Row of the batch, token (-1: the one before goes on), frame of the batch, confidence, other likely tokens."""


def _others(logs: Tensor, blank: int) -> list[tuple[int, ...]]:
    """The other likely tokens behind each row of log-probabilities, likeliest first; none where the best is certain."""
    values, tokens = logs.topk(min(MOST_OTHERS + 2, logs.shape[-1]))
    likely = (values > math.log(LEAST_OTHER)) & (tokens != blank)
    likely[:, 0] = False
    likely &= values[:, :1] < math.log(CERTAIN)
    return [tuple(row[good].tolist()[:MOST_OTHERS]) for row, good in zip(tokens.cpu(), likely.cpu(), strict=True)]


class _Ctc:
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
        for row, frame, others in zip(*places, _others(outputs[places], self._blank), strict=True):
            token = int(tokens[row, frame])
            goes_on = token == before[row, frame]
            found.append((int(row), -1 if goes_on else token, int(frame), float(np.exp(logs[row, frame])), others))
        return found


class _Transducer:
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
                for row, others in zip(chosen.tolist(), _others(likely[chosen], self._blank), strict=True):
                    found.append((row, int(token[row]), frame, float(best[row].exp()), others))
        self._last[slots] = last
        for part, value in zip(self._state, state, strict=True):
            part[:, slots] = value
        return found


class Models:
    """Both networks behind one face; see `Recogniser`."""

    def __init__(self, silero: Silero, nemo: Nemo) -> None:
        self._silero, self._nemo = silero, nemo
        self.grid = nemo.grid
        self.speech = silero.speech
        self.open, self.close, self.transcribe = nemo.open, nemo.close, nemo.transcribe

    @property
    def streams(self) -> int:
        """Slots in use."""
        return self._nemo.streams


def _is_transducer(network: Any) -> bool:
    return hasattr(network, "joint") and not hasattr(network, "ctc_decoder")


def _vocabulary(network: Any) -> tuple[str, ...]:
    tokenizer = getattr(network, "tokenizer", None)
    if tokenizer is not None:
        return tuple(tokenizer.ids_to_tokens(list(range(tokenizer.vocab_size))))
    labels: Sequence[str] = network.joint.vocabulary if _is_transducer(network) else network.decoder.vocabulary
    return tuple(label.replace(" ", "▁") for label in labels)


def choose_device() -> str:
    """The accelerator when there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def use_threads(threads: int) -> None:
    """Threads of one operation. More than one seldom pays for small networks, and processes share the cores."""
    torch.set_num_threads(max(1, threads))
