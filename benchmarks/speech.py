"""What `speech` costs against the bare NeMo pipeline over both channels in full, with the same model and one thread.

Both sides hear the same recordings in the same process, in turns. The bare side is NeMo's own streaming buffer and
`conformer_stream_step` over every channel from its first to its last sample, which is what a pipeline without voice
activity does. Our side is the whole core: decoding, resampling, voice activity, utterance streams, transcription,
acoustics, timelines (without meaning, which NeMo has no counterpart of). `live` gives each call one block at a time, as
real time does; `recordings` gives it all.

    python -m benchmarks.speech [--calls 12] [--repeats 5]
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch

import processors.ingest
from processors.ingest.folder import find_recordings
from processors.ingest.media import paced_records, roles_of, started
from processors.records import AnyRecord, CallEnded
from processors.runtime.settings import load_settings
from processors.speech.agent import load_models
from processors.speech.batch import step
from processors.speech.calls import Call
from processors.speech.checkpoint import find_checkpoint
from processors.speech.model import load_network
from processors.speech.partitions import Partition
from processors.speech.timeline import Effort

RECORDINGS = Path(processors.ingest.__file__).parent / "demo" / "manifest.csv"
BATCH = 32
"""Channels of one batch of the bare side."""
RATE_HZ = 16_000


def main() -> None:
    """Print CPU seconds of both sides and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    settings = load_settings(speech_slots=2 * args.calls)
    models = load_models(settings)
    bare = Bare(load_network(find_checkpoint(settings.asr_model), settings.asr_model, "cpu"), models.grid.frames)
    calls = [list(media(number)) for number in range(args.calls)]
    audio = [channel for number in range(args.calls) for channel in channels(number)]
    audio_s = sum(len(channel) for channel in audio) / RATE_HZ
    sides: dict[str, Callable[[], int]] = {
        "bare NeMo": lambda: bare.run(audio),
        "speech, live": lambda: listen(calls, models, Effort(), paced=True),
        "speech, recordings": lambda: listen(calls, models, Effort(partials=False), paced=False),
    }
    used: dict[str, list[float]] = {name: [] for name in sides}
    characters = {}
    for _ in range(args.repeats + 1):  # the first round warms up
        for name, side in sides.items():
            before = time.process_time()
            characters[name] = side()
            used[name].append(time.process_time() - before)
    print(f"{args.calls} two-channel calls, {audio_s / 2:.0f} s each way, {torch.get_num_threads()} thread")
    floor = used["bare NeMo"][1:]
    for name, seconds in used.items():
        ratios = [ours / theirs for ours, theirs in zip(seconds[1:], floor, strict=True)]
        middle = statistics.median(seconds[1:])
        print(
            f"{name:20} {middle:6.1f} CPU s, {audio_s / middle:5.0f} s of audio a CPU second, against bare NeMo "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {characters[name]} characters"
        )


def media(number: int) -> Iterator[list[AnyRecord]]:
    """The records of one of the demo's calls under an id of its own, in groups as a live call would have them."""
    planned, _ = find_recordings(RECORDINGS, ("agent", "customer"))
    call = planned[number % len(planned)]
    entry = replace(call.entry, call_id=f"bench-{number}")
    roles, detail = roles_of(entry, call.recording.channels, ("agent", "customer"))
    begin = started(entry, 0, roles, "live", "")
    recording = call.recording
    for _, records in paced_records(begin, recording.encoding, recording.rate_hz, recording.blocks(), detail):
        yield list(records)


def channels(number: int) -> list[np.ndarray]:
    """Both channels of the same call at 16 kHz."""
    planned, _ = find_recordings(RECORDINGS, ("agent", "customer"))
    samples, rate_hz = soundfile.read(planned[number % len(planned)].recording.path, dtype="float32", always_2d=True)
    return [np.ascontiguousarray(each) for each in soxr.resample(samples, rate_hz, RATE_HZ).T]


def listen(calls: Sequence[Sequence[list[AnyRecord]]], models: Any, effort: Effort, paced: bool) -> int:
    """Run the whole core; returns the number of characters heard."""
    partition = Partition(models.grid)
    heard = 0
    feeds = [iter(call) for call in calls]
    going: dict[str, Call] = {}
    while feeds or going:
        for feed in list(feeds):
            for records in feed:
                for record in records:
                    call, _ = partition.take(record, 0, 0.0)
                    if call is not None:
                        going[call.call_id] = call
                if paced:
                    break
            else:
                feeds.remove(feed)
        result = step(going.values(), models, effort)
        for call, record in result.records:
            if isinstance(record, CallEnded):
                del going[call.call_id]
                partition.finish(call.call_id)
            heard += len(getattr(record, "tokens", ()))
    return heard


class Bare:
    """NeMo's own streaming example over batches of whole channels."""

    def __init__(self, network: Any, frames: int) -> None:
        """`frames` of the encoder in a chunk, the look-ahead included."""
        from nemo.utils import logging as nemo_logging

        nemo_logging.setLevel(logging.ERROR)
        offered = network.encoder.att_context_size_all
        network.encoder.set_default_att_context_size(next(each for each in offered if each[-1] == frames - 1))
        network.preprocessor.featurizer.dither = 0.0
        network.preprocessor.featurizer.pad_to = 0
        self._network = network

    @torch.inference_mode()
    def run(self, audio: Sequence[np.ndarray]) -> int:
        """Transcribe; returns the number of characters heard."""
        return sum(self._batch(audio[first : first + BATCH]) for first in range(0, len(audio), BATCH))

    def _batch(self, audio: Sequence[np.ndarray]) -> int:
        from nemo.collections.asr.parts.utils.streaming_utils import CacheAwareStreamingAudioBuffer

        network = self._network
        buffer = CacheAwareStreamingAudioBuffer(model=network)
        for each in audio:
            buffer.append_audio(each, stream_id=-1)
        caches = network.encoder.get_initial_cache_state(batch_size=len(audio))
        hypotheses: Any = None
        words: Any = None
        for number, (chunk, lengths) in enumerate(buffer):
            words, _, *caches, hypotheses = network.conformer_stream_step(
                processed_signal=chunk,
                processed_signal_length=lengths,
                cache_last_channel=caches[0],
                cache_last_time=caches[1],
                cache_last_channel_len=caches[2],
                keep_all_outputs=buffer.is_buffer_empty(),
                previous_hypotheses=hypotheses,
                previous_pred_out=words,
                drop_extra_pre_encoded=0 if number == 0 else network.encoder.streaming_cfg.drop_extra_pre_encoded,
                return_transcription=False,
            )
        blank = int(network.decoder.num_classes_with_blank) - 1
        count = 0
        for row in words:
            collapsed = torch.unique_consecutive(torch.as_tensor(row))
            count += int((collapsed != blank).sum())
        return count


if __name__ == "__main__":
    main()
