"""The real networks: any batch, any slot and any way through the chunks give NeMo's own numbers.

The checkpoints are tiny and random, so that they say many different things; what counts is that they say the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from processors.runtime.errors import UserError
from processors.speech.channel import empty_state
from processors.speech.decoding import likely_others
from processors.speech.encoder import Attention
from processors.speech.model import Nemo, Silero
from processors.speech.recogniser import Piece, Work, first_sample
from processors.speech.resample import Audio
from processors.speech.vad import VAD_CONTEXT, WINDOW
from tests.speech import tiny_models

CONTEXT = (14, 1)


@pytest.fixture(scope="module", params=["ctc", "rnnt"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def network(kind: str) -> Any:
    return tiny_models.ctc() if kind == "ctc" else tiny_models.rnnt()


@pytest.fixture(scope="module")
def nemo(kind: str) -> Nemo:
    return Nemo(network(kind), 8, CONTEXT)


def noise(seed: int, seconds: float = 3.0) -> Audio:
    """Noise of a level that moves, so that the network has something to change its mind about."""
    draw = np.random.default_rng(seed)
    samples = draw.normal(0, 0.1, int(seconds * 16_000))
    return (samples * (1 + 0.8 * np.sin(np.arange(len(samples)) / 2_500))).astype(np.float32)


def work(nemo: Nemo, slot: int, audio: Audio, chunk: int, chunks: int) -> Work:
    begin, end = first_sample(nemo.grid, chunk), nemo.grid.samples_until(chunk + chunks)
    return Work(slot, chunk, chunks, audio[begin:end])


def alone(nemo: Nemo, audio: Audio, sizes: Sequence[int] = (1,)) -> list[Piece]:
    """Tokens of one stream that has the networks for itself, in works of these sizes over and over."""
    slot = nemo.open()
    assert slot is not None
    whole, at, turn, pieces = nemo.grid.chunks_within(len(audio)), 0, 0, list[Piece]()
    while at < whole:
        size = min(sizes[turn % len(sizes)], whole - at)
        (found,) = nemo.transcribe([work(nemo, slot, audio, at, size)])
        pieces += found
        at, turn = at + size, turn + 1
    nemo.close(slot)
    return pieces


def said(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    return [(piece.token, piece.frame) for piece in pieces]


def test_many_chunks_at_once_say_what_one_at_a_time_says(nemo: Nemo) -> None:
    audio = noise(1)
    step_by_step = alone(nemo, audio)
    assert len(step_by_step) >= 5
    for sizes in ((2,), (4, 1), (16,), (3, 8, 1)):
        again = alone(nemo, audio, sizes)
        assert said(again) == said(step_by_step)
        assert [one.confidence for one in again] == pytest.approx([one.confidence for one in step_by_step], abs=0.01)


def test_who_else_is_in_the_batch_changes_nothing(nemo: Nemo) -> None:
    """Streams that begin, go on and end at different steps, in slots that others had before."""
    draw = random.Random(5)
    sounds = [noise(seed, draw.uniform(1.0, 3.0)) for seed in range(12)]
    expected = [said(alone(nemo, audio)) for audio in sounds]
    waiting, heard = list(range(len(sounds))), [list[Piece]() for _ in sounds]
    going: dict[int, tuple[int, int]] = {}
    while waiting or going:
        while waiting and draw.random() < 0.7 and (slot := nemo.open()) is not None:
            going[waiting.pop(0)] = (slot, 0)
        works = {
            number: work(
                nemo, slot, sounds[number], done,
                min(draw.choice([1, 1, 2, 4]), nemo.grid.chunks_within(len(sounds[number])) - done),
            )
            for number, (slot, done) in draw.sample(sorted(going.items()), draw.randint(0, len(going)))
        }  # fmt: skip
        for (number, one), found in zip(works.items(), nemo.transcribe(list(works.values())), strict=True):
            heard[number] += found
            slot, done = going[number]
            going[number] = (slot, done + one.chunks)
            if done + one.chunks >= nemo.grid.chunks_within(len(sounds[number])):
                nemo.close(slot)
                del going[number]
    assert [said(one) for one in heard] == expected
    assert nemo.streams == 0


def test_streams_say_what_nemo_says_over_the_whole_audio(nemo: Nemo, kind: str) -> None:
    """Against NeMo's features, encoder and greedy decoder in one piece, with its own attention."""
    audio = noise(3)
    plain = network(kind)
    plain.encoder.set_default_att_context_size(list(CONTEXT))
    with torch.inference_mode():
        features, length = plain.preprocessor(
            input_signal=torch.from_numpy(audio)[None], length=torch.tensor([len(audio)])
        )
        encoded, length = plain.encoder(audio_signal=features, length=length)
        heard = nemo.grid.chunks_within(len(audio)) * nemo.grid.frames
        if kind == "ctc":
            tokens = plain.decoder(encoder_output=encoded)[0, :heard].argmax(-1).tolist()
            before = [len(tiny_models.LABELS), *tokens]
            expected = [
                (token, frame)
                for frame, token in enumerate(tokens)
                if token not in (before[frame], len(tiny_models.LABELS))
            ]
            assert said(alone(nemo, audio)) == expected
        else:
            (hypothesis,) = plain.decoding.rnnt_decoder_predictions_tensor(
                encoder_output=encoded[:, :, :heard], encoded_lengths=torch.tensor([heard]), return_hypotheses=True
            )
            assert [token for token, _ in said(alone(nemo, audio))] == [int(one) for one in hypothesis.y_sequence]


def test_remembered_keys_and_values_give_the_numbers_of_nemos_attention() -> None:
    encoder = tiny_models.ctc().encoder
    plain, width, seen = encoder.layers[0].self_attn, 32, 14
    draw = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        for p in plain.parameters():
            p.copy_(torch.randn(p.shape, generator=draw) * 0.3)
        quick = Attention(plain)
        new, before = torch.randn(3, 2, width, generator=draw), torch.randn(3, seen, width, generator=draw)
        _, positions = encoder.pos_enc(x=torch.zeros(3, seen + 2, width), cache_len=0)
        mask = torch.rand(3, 2, seen + 2, generator=draw) < 0.2
        expected, after = plain(query=new, key=new, value=new, mask=mask, pos_emb=positions, cache=before)
        cache = torch.cat([plain.linear_k(before), plain.linear_v(before)], -1)
        found, cache_after = quick(new, new, new, mask, positions, cache)
        assert torch.allclose(found, expected, atol=1e-5)
        assert torch.allclose(cache_after, torch.cat([plain.linear_k(after), plain.linear_v(after)], -1), atol=1e-5)


def test_a_slot_remembers_nothing_of_the_stream_before(nemo: Nemo) -> None:
    first, second = noise(8), noise(9)
    fresh = alone(nemo, second)
    alone(nemo, first)
    assert alone(nemo, second) == fresh


def test_there_are_as_many_slots_as_were_asked_for(nemo: Nemo) -> None:
    taken = [nemo.open() for _ in range(9)]
    assert sorted(slot for slot in taken if slot is not None) == list(range(8))
    assert taken[8] is None
    for slot in range(8):
        nemo.close(slot)
    assert nemo.streams == 0


def test_tokens_lie_within_what_was_heard(nemo: Nemo) -> None:
    pieces = alone(nemo, noise(2))
    frames = nemo.grid.chunks_within(3 * 16_000) * nemo.grid.frames
    assert all(0 <= one.frame <= one.last_frame < frames for one in pieces)
    assert [one.frame for one in pieces] == sorted(one.frame for one in pieces)
    assert all(0 < one.confidence <= 1 for one in pieces)
    assert nemo.grid.vocabulary == ("你", "好", "我", "们", "a", "b", "▁", "款")


def test_a_context_that_the_model_was_not_trained_for_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(UserError, match=r"no attention context \[70, 1\].*\[\[14, 6\], \[14, 1\]\]"):
        Nemo(tiny_models.ctc(), 2, (70, 1))


def test_without_a_wish_the_shortest_look_ahead_is_taken() -> None:
    assert Nemo(tiny_models.ctc(), 2, None).grid.frames == 2
    assert Nemo(tiny_models.ctc(), 2, (14, 6)).grid.frames == 7


def test_a_model_that_sees_the_whole_audio_is_refused() -> None:
    offline = tiny_models.ctc()
    offline.encoder.att_context_style = "regular"
    with pytest.raises(UserError, match="not cache-aware"):
        Nemo(offline, 2, None)
    normalising = tiny_models.ctc()
    normalising.preprocessor.featurizer.normalize = "per_feature"
    with pytest.raises(UserError, match="normalises its features"):
        Nemo(normalising, 2, None)


def windows(audio: Audio) -> Audio:
    """As a channel cuts them."""
    padded = np.concatenate([np.zeros(VAD_CONTEXT, np.float32), audio])
    return np.lib.stride_tricks.sliding_window_view(padded, VAD_CONTEXT + WINDOW)[::WINDOW]


def test_voice_activity_of_many_channels_is_that_of_each_alone() -> None:
    silero = Silero()
    sounds = [windows(noise(seed, 0.032 * count)) for seed, count in ((1, 20), (2, 5), (3, 11))]
    together, after = silero.speech([empty_state()] * 3, sounds)
    for number, sound in enumerate(sounds):
        (expected,), (state,) = silero.speech([empty_state()], [sound])
        assert together[number] == pytest.approx(expected, abs=1e-4)
        assert np.allclose(after[number], state, atol=1e-4)
    assert silero.speech([], []) == ([], [])


def test_voice_activity_goes_on_where_it_stopped() -> None:
    silero = Silero()
    sound = windows(noise(4, 0.96))
    (whole,), _ = silero.speech([empty_state()], [sound])
    state, parts = empty_state(), list[float]()
    for begin, end in ((0, 7), (7, 8), (8, 30)):
        (heard,), (state,) = silero.speech([state], [sound[begin:end]])
        parts += heard
    assert parts == pytest.approx(whole, abs=1e-4)


def test_other_tokens_are_told_where_the_best_one_is_not_certain() -> None:
    likely = torch.tensor([[0.96, 0.02, 0.01, 0.01], [0.5, 0.3, 0.01, 0.19], [0.4, 0.0, 0.3, 0.3]]).log()

    assert likely_others(likely, blank=3) == [(), (1,), (2,)]
