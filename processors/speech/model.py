"""The networks: silero for voice activity, any cache-aware NeMo checkpoint for transcription, over batches of streams.

With `encoder` and `decoding`, all of this processor that knows torch and NeMo. The caches of all streams lie in tensors
with one row a slot; a step gathers the rows of its batch, runs NeMo's `cache_aware_stream_step` on them and scatters
them back. Does not know about calls.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from silero_vad import load_silero_vad
from torch import Tensor

from processors.runtime.errors import UserError
from processors.speech.decoding import Ctc, Transducer
from processors.speech.encoder import quicken
from processors.speech.recogniser import HALF_WINDOW, HOP, Grid, Piece, VadState, Work
from processors.speech.resample import RATE_HZ, Audio
from processors.speech.slots import Slots
from processors.speech.wording import Wording


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

    def __init__(
        self,
        network: Any,
        slots: int,
        context: Sequence[int] | None,
        device: str = "cpu",
        wording: Wording | None = None,
    ) -> None:
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
            wording=wording,
        )
        featurizer = network.preprocessor.featurizer
        self._features = _Features(featurizer, self._device)
        width = quicken(self._encoder)
        self._head = Transducer(network, slots, self._device) if _is_transducer(network) else Ctc(network, slots)
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
