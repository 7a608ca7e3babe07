"""The shell of `speech`: reads media, steps over all calls, writes timelines, commits low watermarks.

The order of a commit is the guarantee: outputs are delivered, then the bookmarks of the calls, then offsets are
committed. Whatever happens in between is done again and says the same under the same ids. The clock is read here only:
for the pace, for idle calls, and for how far the audio lags behind, which decides what is left out under overload.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from processors.records import CallEnded, Meaning, Partial, Utterance
from processors.runtime import metrics
from processors.runtime.dead_letters import DeadLetters
from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.health import serve_health
from processors.runtime.kafka import fatal, make_consumer, make_producer
from processors.runtime.logs import get_logger
from processors.runtime.sentences import sentence_encoder
from processors.runtime.settings import Settings
from processors.runtime.wire import decode, encode, headers
from processors.speech.batch import MOST_STEP_BLOCKS, StepResult, Understand, release, step
from processors.speech.bookmarks import Bookmark
from processors.speech.calls import Call
from processors.speech.checkpoint import find_checkpoint
from processors.speech.meaning import is_measurable, load_heads
from processors.speech.model import Models, Nemo, Silero, choose_device, load_network, use_threads
from processors.speech.overload import effort_at
from processors.speech.partitions import Partition
from processors.speech.resample import BLOCK_MS
from processors.speech.timeline import Effort, TimelineRecord
from processors.speech.wording import load_wording

TIMELINE = "calls.timeline"
MEDIA = {"live": "calls.media", "recordings": "calls.media.recordings"}
GROUPS = {"live": "tingjian-speech", "recordings": "tingjian-speech-recordings"}
BOOKMARKS = {"live": "tingjian-speech-live-bookmarks", "recordings": "tingjian-speech-recordings-bookmarks"}
PACE_S = {"live": 0.06, "recordings": 0.05}
"""Media are gathered for so long, from turn to turn: larger batches cost less, and it adds half of it to the latency of
a partial. A turn that took longer has gathered enough."""
MOST_MESSAGES = 800
COMMIT_S = 2.0
IDLE_EVERY_S = 5.0
DELIVERY_S = 60.0
READ_BACK_S = 30.0
STUCK_S = 120.0
LATENCY_MOST_S = 600.0
"""A call whose start is not the time at which it is spoken (a replay) says nothing about latency."""

log = get_logger("speech")


class Speech:
    """One consumer, all calls of its partitions, one pair of networks."""

    def __init__(self, settings: Settings, lane: str, models: Models, understand: Understand | None) -> None:
        self._settings = settings
        self._lane = lane
        self._models = models
        self._understand = understand
        self._partitions: dict[int, Partition] = {}
        self._busy: dict[str, tuple[int, Call]] = {}  # calls that may go forward, with their partition
        self._producer = make_producer(settings)
        self._letters = DeadLetters(self._producer, "speech", settings.instance_id)
        self._undelivered: KafkaError | None = None
        self._committed_at = self._reaped_at = self._taken_at = time.monotonic()
        self._lag_s = 0.0
        self._full = False  # the last step left blocks over
        self.turned_at = time.monotonic()
        self.assigned = False
        instance = f"{settings.instance_id}-{lane}" if settings.instance_id else ""
        self._consumer = make_consumer(
            settings, GROUPS[lane], [MEDIA[lane]], instance, self._on_assign, self._on_revoke
        )

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; then store and commit, so that another process goes on from here."""
        try:
            while not stopping.is_set():
                self.turn()
            self._commit()
        finally:
            self._consumer.close()

    def turn(self) -> None:
        """One turn of the loop: take in what came, step, write, and now and then commit."""
        now = time.monotonic()
        if not self._full:
            gathered_s = time.monotonic() - self._taken_at
            self._take(self._consumer.consume(MOST_MESSAGES, timeout=max(0.0, PACE_S[self._lane] - gathered_s)))
            self._taken_at = time.monotonic()
        began, used = time.monotonic(), time.process_time()
        result = step([call for _, call in self._busy.values()], self._models, self._effort(), self._understand)
        self._send(result)
        self._full = result.blocks >= MOST_STEP_BLOCKS - 64
        self._measure(result, time.monotonic() - began, time.process_time() - used)
        self._settle()
        self._producer.poll(0)
        if now - self._reaped_at > IDLE_EVERY_S:
            self._reap(now)
        if now - self._committed_at > COMMIT_S:
            self._commit()
        self.turned_at = time.monotonic()

    # In

    def _take(self, messages: Sequence[Message]) -> None:
        now_s, oldest_ms, good = time.monotonic(), 0, False
        for message in messages:
            error = message.error()
            if error is not None:
                self._complain(error)
                continue
            number, offset = int(message.partition() or 0), int(message.offset() or 0)
            partition = self._partitions.get(number)
            if partition is None:
                continue  # it was taken from us meanwhile
            at_ms = message.timestamp()[1]
            oldest_ms = min(oldest_ms or at_ms, at_ms)
            try:
                call, started = partition.take(decode(message.value()), offset, now_s)
            except BadRecord as bad:
                partition.position = offset + 1
                self._letters.send(message, bad)
                continue
            good = True
            if started is not None:
                self._produce(started.call_id, started)
            if call is not None:
                self._busy[call.call_id] = (number, call)
        if good:
            self._letters.good()
        if oldest_ms or not messages:
            self._lag_s = max(0.0, time.time() - oldest_ms / 1000) if oldest_ms else 0.0

    def _effort(self) -> Effort:
        return effort_at(self._lag_s) if self._lane == "live" else Effort(partials=False)

    def _complain(self, error: KafkaError) -> None:
        if fatal(error):
            raise Unavailable(f"Kafka refuses this member: {error.str()}")
        log.warning("kafka", reason=error.str())

    # Out

    def _send(self, result: StepResult) -> None:
        now_ms = time.time() * 1000
        for call, record in result.records:
            self._produce(call.call_id, record)
            if isinstance(record, Partial | Utterance) and self._lane == "live":
                behind_s = (now_ms - record.at_ms) / 1000
                if 0 <= behind_s <= LATENCY_MOST_S:
                    partial = isinstance(record, Partial)
                    histogram = metrics.SPEECH_PARTIAL_LATENCY if partial else metrics.SPEECH_UTTERANCE_LATENCY
                    histogram.labels(self._lane).observe(behind_s)
            if isinstance(record, Utterance):
                metrics.SPEECH_UTTERANCES.labels(self._lane).inc()
            if isinstance(record, CallEnded):
                number, _ = self._busy.pop(call.call_id)
                self._partitions[number].finish(call.call_id)

    def _produce(self, call_id: str, record: TimelineRecord) -> None:
        self._put(TIMELINE, call_id, encode(record), headers(TIMELINE, record))

    def _put(self, topic: str, key: str, value: bytes | None, pairs: list[tuple[str, bytes]]) -> None:
        all_pairs: list[tuple[str, str | bytes | None]] = [*pairs]
        try:
            self._producer.produce(topic, value, key, headers=all_pairs, on_delivery=self._delivered)
        except BufferError:  # the queue is full: wait until some of it is delivered
            self._flush()
            self._producer.produce(topic, value, key, headers=all_pairs, on_delivery=self._delivered)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._undelivered = error or self._undelivered

    def _flush(self) -> None:
        left = self._producer.flush(DELIVERY_S)
        if left or self._undelivered:
            raise Unavailable(f"Kafka took not everything: {left} records left, {self._undelivered}")

    def _settle(self) -> None:
        """Forget the calls that wait for media."""
        self._busy = {
            call_id: (number, call)
            for call_id, (number, call) in self._busy.items()
            if call.ready_blocks(1) or call.plans or call.ending
        }

    # Storing

    def _commit(self, only: Iterable[int] | None = None) -> None:
        """Deliver, store, commit; for all partitions or some."""
        self._committed_at = time.monotonic()
        numbers = [number for number in (self._partitions if only is None else only) if number in self._partitions]
        self._flush()
        stored: dict[int, list[tuple[str, Bookmark]]] = {}
        for number in numbers:
            stored[number] = self._partitions[number].bookmarks()
            for call_id, bookmark in stored[number]:
                self._put(BOOKMARKS[self._lane], call_id, bookmark.to_bytes(), [])
        self._flush()
        offsets = []
        for number in numbers:
            self._partitions[number].stored(stored[number])
            offset = self._partitions[number].committable()
            if offset is not None:
                offsets.append(TopicPartition(MEDIA[self._lane], number, offset))
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # The partitions have gone to somebody else, who will do the work again; or the broker is away for a while.
            log.warning("commit failed", reason=str(error))
            return
        for place in offsets:
            for call_id in self._partitions[place.partition].committed(place.offset):
                self._put(BOOKMARKS[self._lane], call_id, None, [])

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        numbers = [place.partition for place in places]
        self._partitions = {number: Partition(self._models.grid) for number in numbers}
        self._busy.clear()
        now_s = time.monotonic()
        found = read_bookmarks(self._settings, BOOKMARKS[self._lane], numbers)
        for number, bookmarks in found.items():
            for bookmark in bookmarks:
                try:
                    self._partitions[number].restore(bookmark, now_s)
                except BadRecord as bad:
                    log.error("bookmark dropped", call_id=bookmark.started.call_id, reason=str(bad))
        self._seek(consumer, places, found)
        calls = sum(len(partition.entries) for partition in self._partitions.values())
        log.info("assigned", lane=self._lane, partitions=numbers, calls=calls)
        self.assigned = True

    def _seek(self, consumer: Consumer, places: list[TopicPartition], found: dict[int, list[Bookmark]]) -> None:
        """Read from what was committed, or earlier: a member that lost its partitions may have stored after that."""
        try:
            starts = consumer.committed(places, timeout=READ_BACK_S)
        except KafkaException as error:
            raise Unavailable(f"Kafka does not say what was committed: {error}") from error
        for place in starts:
            offsets = [each.offset for each in found[place.partition] if each.state is not None]
            if place.offset >= 0:
                place.offset = min([place.offset, *offsets])
        consumer.assign(starts)

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._commit([place.partition for place in places])
        for place in places:
            partition = self._partitions.pop(place.partition, None)
            for entry in partition.entries.values() if partition else ():
                release(entry.call, self._models)
                self._busy.pop(entry.call.call_id, None)

    def _reap(self, now: float) -> None:
        self._reaped_at = now
        for number, partition in self._partitions.items():
            for call in list(partition.idle(now - self._settings.speech_idle_s)):
                log.warning("idle call ended", call_id=call.call_id)
                metrics.SPEECH_IDLE_CALLS.labels(self._lane).inc()
                self._busy[call.call_id] = (number, call)
            metrics.SPEECH_LATE_RECORDS.labels(self._lane).inc(partition.late)
            partition.late = 0

    # Metrics

    def _measure(self, result: StepResult, took_s: float, used_s: float) -> None:
        lane = self._lane
        metrics.SPEECH_AUDIO_LAG_SECONDS.labels(lane).set(self._lag_s)
        metrics.SPEECH_CALLS_OPEN.labels(lane).set(sum(len(each.entries) for each in self._partitions.values()))
        metrics.SPEECH_UTTERANCES_OPEN.labels(lane).set(self._models.streams)
        metrics.SPEECH_STREAMS_WAITING.labels(lane).set(result.waiting)
        if result.blocks:
            audio_s = result.blocks * BLOCK_MS / 1000
            metrics.SPEECH_AUDIO_SECONDS.labels(lane).inc(audio_s)
            metrics.SPEECH_STEP_SECONDS.labels(lane).observe(took_s)
            metrics.SPEECH_REAL_TIME_FACTOR.labels(lane).set(used_s / audio_s)
        for streams in result.batches:
            metrics.SPEECH_BATCH_STREAMS.labels(lane).observe(streams)
        effort = self._effort()
        if effort.overloaded:
            for what, done in (
                ("partials", effort.partials),
                ("meaning", effort.meaning),
                ("acoustics", effort.acoustics),
            ):
                if not done:
                    metrics.SPEECH_SKIPPED.labels(lane, what).inc()


def read_bookmarks(settings: Settings, topic: str, numbers: list[int]) -> dict[int, list[Bookmark]]:
    """All bookmarks of these partitions. Unavailable when they can not be read in time."""
    latest: dict[tuple[int, bytes], Bookmark] = {}
    reader = make_consumer(settings, "tingjian-speech-bookmarks", [], enable_partition_eof="true")
    try:
        reader.unsubscribe()
        reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
        left, deadline = set(numbers), time.monotonic() + READ_BACK_S
        while left:
            if time.monotonic() > deadline:
                raise Unavailable(f"{topic} can not be read: partitions {sorted(left)} do not answer")
            for message in reader.consume(MOST_MESSAGES, timeout=0.2):
                error, number = message.error(), int(message.partition() or 0)
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        left.discard(number)
                    continue
                key, value = (number, _key(message)), message.value()
                latest.pop(key, None)
                if value is not None:
                    try:
                        latest[key] = Bookmark.from_bytes(value)
                    except BadRecord as bad:
                        log.error("bookmark dropped", reason=str(bad))
    finally:
        reader.close()
    found: dict[int, list[Bookmark]] = {number: [] for number in numbers}
    for (number, _), bookmark in latest.items():
        found[number].append(bookmark)
    return found


def _key(message: Message) -> bytes:
    key = message.key()
    return key.encode() if isinstance(key, str) else key or b""


def load_models(settings: Settings) -> Models:
    """The networks that the settings name. UserError when they can not be used."""
    use_threads(settings.threads)
    device = choose_device()
    path = find_checkpoint(settings.asr_model, settings.asr_model_sha256)
    network = load_network(path, settings.asr_model, device)
    try:
        context = [int(each) for each in settings.asr_context.split(",")] if settings.asr_context else None
    except ValueError:
        raise UserError(f"TINGJIAN_ASR_CONTEXT={settings.asr_context}: write two numbers, like 70,1") from None
    return Models(Silero(device), Nemo(network, settings.speech_slots, context, device, load_wording(path)))


def load_understanding(settings: Settings) -> Understand | None:
    """Meaning of texts by the sentence encoder and the heads; None when it is switched off."""
    if not settings.sentence_encoder:
        return None
    heads = load_heads()
    if heads.encoder != settings.sentence_encoder:
        log.warning("no meaning: the heads were trained on another sentence encoder", encoder=heads.encoder)
        return None
    encoder = sentence_encoder(settings.sentence_encoder)

    def understand(texts: Sequence[str]) -> list[Meaning | None]:
        rows = [row for row, good in enumerate(is_measurable(texts)) if good]
        measured = heads.measure(encoder([texts[row] for row in rows])) if rows else []
        meanings: list[Meaning | None] = [None] * len(texts)
        for row, meaning in zip(rows, measured, strict=True):
            meanings[row] = meaning
        return meanings

    return understand


def main(settings: Settings, lane: str = "live", **options: str) -> None:
    """Run one lane until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    speech: list[Speech] = []

    def ready() -> tuple[bool, str]:
        if not speech:
            return False, "loading the models"
        return (True, "reading") if speech[0].assigned else (False, "waiting for partitions")

    def alive() -> tuple[bool, str]:
        stuck = bool(speech) and time.monotonic() - speech[0].turned_at > STUCK_S
        return (False, "the loop is stuck") if stuck else (True, "running")

    serve_health(settings.metrics_port, ready, alive, settings.health_host)
    models, understand = load_models(settings), load_understanding(settings)
    if not stopping.is_set():
        speech.append(Speech(settings, lane, models, understand))
        speech[0].run(stopping)
