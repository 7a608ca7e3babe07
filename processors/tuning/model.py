"""The network: built from scratch or from an earlier checkpoint of this recipe, its training losses, its export.

The only file of this folder that imports torch and NeMo. It trains NeMo's own `EncDecCTCModelBPE`; what it writes is an
ordinary `.nemo` file that NeMo restores without this project. It reads no clock and makes no data.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
from nemo.collections.asr.models import EncDecCTCModelBPE
from nemo.utils import logging as nemo_logging
from omegaconf import OmegaConf, open_dict
from pypinyin import Style, pinyin
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor, nn

from processors.runtime.errors import UserError
from processors.tuning.sounds import MODEL_RATE_HZ, Example

nemo_logging.setLevel(nemo_logging.ERROR)

pieces_format: Any = sentencepiece_model_pb2  # generated without types

FRAME_MS = 80
SYLLABLE_WEIGHT = 0.5
LOG_MEL_MEAN = -9.0
LOG_MEL_DEVIATION = 4.0
"""What unnormalised log-mel features of telephone speech look like."""

BLANK_WEIGHT = 0.15
ALIGNMENT_SCALE = 20.0
ALIGNMENT_CTC_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a network. The default is the shipped one."""

    layers: int = 6
    width: int = 144
    heads: int = 4
    channels: int = 96
    contexts: tuple[tuple[int, int], ...] = ((70, 6), (70, 1))


def build(characters: str, shape: Shape | None = None) -> EncDecCTCModelBPE:
    """A fresh network that writes these characters, its first convolution set for unnormalised log-mel features."""
    size = shape or Shape()
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(Path(folder), characters)
        model = EncDecCTCModelBPE(cfg=OmegaConf.create(_config(size, folder)))
    _forget_paths(model)
    _standardise_input(model)
    return model


def restore(path: Path) -> EncDecCTCModelBPE:
    """The network of a `.nemo` file. Raises UserError when it is none of this kind."""
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}")
    model = EncDecCTCModelBPE.restore_from(str(path), map_location="cpu")
    _without_dropout(model)
    return model


def start_from(path: Path, characters: str) -> EncDecCTCModelBPE:
    """An earlier checkpoint to go on from.

    Its characters stay where they are; those that `characters` no longer has make room for the new ones, in order.
    Raises UserError when the numbers of characters differ.
    """
    model = restore(path)
    old = [piece.removeprefix("##") for piece in model.tokenizer.vocab if piece != "<unk>"]
    if len(old) != len(characters):
        raise UserError(f"{path} writes {len(old)} characters, the recipe {len(characters)}: train without --start")
    fresh = iter(c for c in characters if c not in set(old))
    renewed = [c if c in set(characters) else next(fresh) for c in old]
    weights = {name: value.clone() for name, value in model.decoder.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(Path(folder), "".join(renewed))
        model.change_vocabulary(new_tokenizer_dir=folder, new_tokenizer_type="bpe")
    model.decoder.load_state_dict(weights)
    _forget_paths(model)
    _without_dropout(model)
    return model


def deepened(model: EncDecCTCModelBPE, layers: int) -> EncDecCTCModelBPE:
    """The same network with more layers, which say what it said until they have learnt something of their own.

    Each new layer is a copy of the one before it whose branches end in zeros, so that it hands on what it gets; the
    norm at the end of the old one moves behind the new one, since a norm of what is normalised already changes nothing.
    Raises UserError when there are as many layers already.
    """
    old: Any = model.encoder.layers
    if layers <= len(old):
        raise UserError(f"the network has {len(old)} layers already")
    more = [layers * (number + 1) // len(old) - layers * number // len(old) - 1 for number in range(len(old))]
    stack: list[Any] = []
    for layer, count in zip(old, more, strict=True):
        stack.append(layer)
        for _ in range(count):
            added = copy.deepcopy(layer)
            with torch.no_grad():
                for end in _branch_ends(added):
                    end.weight.zero_()
                    if end.bias is not None:
                        end.bias.zero_()
                stack[-1].norm_out.weight.fill_(1.0)
                stack[-1].norm_out.bias.zero_()
            stack.append(added)
    model.encoder.layers = nn.ModuleList(stack)
    model.encoder.n_layers = layers
    model.encoder.layer_drop_probs = [0.0] * layers
    with open_dict(model.cfg):
        model.cfg.encoder.n_layers = layers
    return model


def _branch_ends(layer: Any) -> tuple[Any, ...]:
    """The last projection of each residual branch of a Conformer layer."""
    attention = layer.self_attn.linear_out
    return layer.feed_forward1.linear2, attention, layer.conv.pointwise_conv2, layer.feed_forward2.linear2


def write_tokenizer(folder: Path, characters: str) -> None:
    """A sentencepiece tokenizer with one piece a character: `<unk>` first, then `characters` in their order."""
    proto = pieces_format.ModelProto()
    proto.trainer_spec.model_type = pieces_format.TrainerSpec.CHAR
    proto.trainer_spec.bos_id = proto.trainer_spec.eos_id = proto.trainer_spec.pad_id = -1
    proto.trainer_spec.vocab_size = len(characters) + 1
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = False
    proto.pieces.add(piece="<unk>", score=0.0, type=pieces_format.ModelProto.SentencePiece.UNKNOWN)
    for rank, character in enumerate(characters):
        proto.pieces.add(piece=character, score=-float(rank))
    (folder / "tokenizer.model").write_bytes(proto.SerializeToString())
    sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))  # it must load
    pieces = ["<unk>", *characters]
    (folder / "tokenizer.vocab").write_text("".join(f"{p}\t{-i}\n" for i, p in enumerate(pieces)), "utf-8")
    (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces), "utf-8")


def _config(shape: Shape, tokenizer_folder: str) -> dict[str, Any]:
    return {
        "sample_rate": MODEL_RATE_HZ,
        "tokenizer": {"dir": tokenizer_folder, "type": "bpe"},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": MODEL_RATE_HZ, "normalize": "NA", "window_size": 0.025, "window_stride": 0.01,
            "window": "hann", "features": 80, "n_fft": 512, "log": True, "frame_splicing": 1, "dither": 1e-5,
            "pad_to": 0,
        },
        "encoder": {
            "_target_": "nemo.collections.asr.modules.ConformerEncoder",
            "feat_in": 80, "feat_out": -1, "n_layers": shape.layers, "d_model": shape.width,
            "subsampling": "dw_striding", "subsampling_factor": 8, "subsampling_conv_channels": shape.channels,
            "causal_downsampling": True, "ff_expansion_factor": 4,
            "self_attention_model": "rel_pos", "n_heads": shape.heads,
            "att_context_size": [list(c) for c in shape.contexts], "att_context_style": "chunked_limited",
            "xscaling": False, "untie_biases": True, "pos_emb_max_len": 5000, "conv_kernel_size": 9,
            "conv_norm_type": "layer_norm", "conv_context_size": "causal",
            "dropout": 0.0, "dropout_pre_encoder": 0.0, "dropout_emb": 0.0, "dropout_att": 0.0,
        },
        "decoder": {
            "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
            "feat_in": shape.width, "num_classes": -1, "vocabulary": [],
        },
        "decoding": {"strategy": "greedy_batch"},
    }  # fmt: skip


def _forget_paths(model: EncDecCTCModelBPE) -> None:
    """The tokenizer travels inside the file; where it was made is nobody's business."""
    with open_dict(model.cfg):
        model.cfg.tokenizer.dir = "tokenizer"


def _without_dropout(model: EncDecCTCModelBPE) -> None:
    """Data is endless, so the network underfits: dropout and masking only slow it down."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with open_dict(model.cfg):
        model.cfg.pop("spec_augment", None)
        for name in ("dropout", "dropout_pre_encoder", "dropout_emb", "dropout_att"):
            model.cfg.encoder[name] = 0.0
    model.spec_augmentation = None


def _standardise_input(model: EncDecCTCModelBPE) -> None:
    """Let the first convolution start as if its input had mean 0 and deviation 1, which it does not have."""
    first = model.encoder.pre_encode.conv[0]
    with torch.no_grad():
        first.weight.div_(LOG_MEL_DEVIATION)
        first.bias.sub_(LOG_MEL_MEAN * first.weight.sum(dim=(1, 2, 3)))


# -- training ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded audio (B, T) with lengths in samples, characters and toneless syllables as ids with their lengths."""

    signal: Tensor
    signal_length: Tensor
    characters: Tensor
    syllables: Tensor
    label_length: Tensor
    voice_ms: list[tuple[int, int]]


class Trainee(nn.Module):
    """The model with the second head that only training has: CTC on toneless syllables."""

    def __init__(self, model: EncDecCTCModelBPE) -> None:
        super().__init__()
        self.model = model
        self.blank = len(model.tokenizer.vocab)
        pieces = [p.removeprefix("##") for p in model.tokenizer.vocab]
        self.character_ids = {p: i for i, p in enumerate(pieces)}
        heard = [pinyin(p, style=Style.NORMAL)[0][0] if len(p) == 1 else p for p in pieces]
        names = sorted(set(heard))
        self.syllable_of = [names.index(h) for h in heard]
        self.syllable_head = nn.Linear(model.cfg.decoder.feat_in, len(names) + 1)
        model.encoder.pre_encode.conv.to(memory_format=torch.channels_last)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Pad and number a group of examples. Characters that the model lacks are a KeyError."""
        longest = max(len(e.samples) for e in examples)
        signal = np.zeros((len(examples), longest), np.float32)
        for row, example in zip(signal, examples, strict=True):
            row[: len(example.samples)] = example.samples / np.float32(32768.0)
        labels = [torch.tensor([self.character_ids[c] for c in e.text]) for e in examples]
        syllables = [torch.tensor([self.syllable_of[i] for i in label.tolist()]) for label in labels]
        return Batch(
            signal=torch.from_numpy(signal),
            signal_length=torch.tensor([len(e.samples) for e in examples]),
            characters=nn.utils.rnn.pad_sequence(labels, batch_first=True),
            syllables=nn.utils.rnn.pad_sequence(syllables, batch_first=True),
            label_length=torch.tensor([len(x) for x in labels]),
            voice_ms=[(e.voice_from_ms, e.voice_to_ms) for e in examples],
        )

    def encode(self, batch: Batch, train_front: bool) -> tuple[Tensor, Tensor]:
        """Encoder output (B, D, frames) and its lengths.

        The front-end is run here without NeMo's masks between the convolutions: they are causal, so padding behind an
        utterance cannot reach it, and the masks cost an eighth of a step. With train_front False it learns nothing,
        which saves a third more.
        """
        with torch.no_grad():
            features, feature_length = self.model.preprocessor(input_signal=batch.signal, length=batch.signal_length)
        front = self.model.encoder.pre_encode
        with torch.set_grad_enabled(train_front and torch.is_grad_enabled()):
            hidden = features.transpose(1, 2).unsqueeze(1)
            for layer in front.conv:
                hidden = layer(hidden)
        frames = front.out(hidden.transpose(1, 2).flatten(2))
        # A frame more for each stride that the length does not fill, as the convolutions pad by one on the right.
        length = feature_length
        for _ in range(3):
            length = torch.div(length + 3 - 3, 2, rounding_mode="floor") + 1
        length = length.clamp(max=frames.shape[1])
        encoded, encoded_length = self.model.encoder(audio_signal=frames, length=length, bypass_pre_encode=True)
        return encoded, encoded_length

    def losses(self, batch: Batch, train_front: bool = True, aligned: bool = False) -> tuple[Tensor, dict[str, float]]:
        """The loss to descend and its parts in nats a character. `aligned`: the first phase, on a uniform alignment."""
        encoded, length = self.encode(batch, train_front)
        log_probs = self.model.decoder(encoder_output=encoded).float()
        ctc = self._ctc(log_probs, length, batch.characters, batch.label_length, self.blank)
        syllable_logits = self.syllable_head(encoded.transpose(1, 2)).float()
        syllable = self._ctc(
            syllable_logits.log_softmax(-1), length, batch.syllables, batch.label_length, syllable_logits.shape[-1] - 1
        )
        per_character = batch.label_length.sum()
        parts = {"ctc": float(ctc.detach() / per_character), "syllable": float(syllable.detach() / per_character)}
        if aligned:
            cross = self._aligned(log_probs, batch)
            parts["aligned"] = float(cross.detach())
            return ALIGNMENT_SCALE * cross + ALIGNMENT_CTC_SHARE * ctc / len(batch.signal), parts
        return (ctc + SYLLABLE_WEIGHT * syllable) / len(batch.signal), parts

    @staticmethod
    def _ctc(log_probs: Tensor, length: Tensor, labels: Tensor, label_length: Tensor, blank: int) -> Tensor:
        return nn.functional.ctc_loss(
            log_probs.transpose(0, 1), labels, length, label_length, blank=blank, reduction="sum", zero_infinity=True
        )

    def _aligned(self, log_probs: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy as if each character sat on one frame, spread evenly over the voiced span; blank between."""
        targets = uniform_alignment(
            batch.characters, batch.label_length, batch.voice_ms, log_probs.shape[1], self.blank
        )
        weight = torch.where(targets == self.blank, BLANK_WEIGHT, 1.0) * (targets >= 0)
        cross = nn.functional.nll_loss(log_probs.transpose(1, 2), targets.clamp(min=0), reduction="none")
        return (cross * weight).sum() / weight.sum()


def uniform_alignment(
    labels: Tensor, label_length: Tensor, voice_ms: Sequence[tuple[int, int]], frames: int, blank: int
) -> Tensor:
    """Frame targets (B, frames): characters spread evenly over the voiced span, blank between, -1 outside the span."""
    targets = torch.full((len(labels), frames), -1, dtype=torch.long)
    for row, (start_ms, end_ms) in enumerate(voice_ms):
        first, last = start_ms // FRAME_MS, min(frames, max(end_ms // FRAME_MS, start_ms // FRAME_MS + 1))
        targets[row, first:last] = blank
        count = int(label_length[row])
        places = start_ms + (np.arange(count) + 0.5) * (end_ms - start_ms) / count
        for label, place_ms in zip(labels[row, :count].tolist(), places, strict=True):
            targets[row, min(int(place_ms) // FRAME_MS, frames - 1)] = label
    return targets


def bfloat16_is_fast() -> bool:
    """Whether this processor computes bfloat16 by itself; where it does not, autocast is several times slower."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def export(model: EncDecCTCModelBPE, path: Path) -> None:
    """Write the model, which has no syllable head, as a `.nemo` file, first beside it, then in its place.

    Weights are stored in half precision, which halves the file; a network that restores it computes in its own.
    """
    model.encoder.pre_encode.conv.to(memory_format=torch.contiguous_format)
    temporary = path.with_name(path.name + ".part.nemo")
    pieces = [piece.removeprefix("##") for piece in model.tokenizer.vocab]
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(Path(folder), "".join(p for p in pieces if p != "<unk>"))
        for item in (model.artifacts or {}).values():
            item.path = str(Path(folder) / Path(item.path).name)
        # The filters of the front-end are left as they are: they are not learnt, and rounding them moves every feature.
        for value in model.parameters():
            value.data = value.data.half()
        model.save_to(str(temporary))
        for value in model.parameters():
            value.data = value.data.float()
    temporary.replace(path)
    model.encoder.pre_encode.conv.to(memory_format=torch.channels_last)
