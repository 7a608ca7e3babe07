"""The one list of all metrics. Names are `tingjian_<processor>_<what>_<unit>`; labels are few and bounded.

Never a call or agent id as a label: they have no bound. Latencies count from the time of the audio, so that a replay
or a slow door shows as what the listener of the call would have felt.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LATENCY_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 30.0, 60.0)
STEP_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# Every processor
DEAD_LETTERS = Counter(
    "tingjian_runtime_dead_letters_total", "Records sent to a dead-letter topic.", ["topic", "error"]
)
RECORDS_LOST = Counter(
    "tingjian_runtime_records_lost_total", "Records that retention removed before they were read.", ["topic"]
)

# ingest
INGEST_CALLS_OPEN = Gauge("tingjian_ingest_calls_open", "Calls that are being received.", ["door"])
INGEST_AUDIO_SECONDS = Counter("tingjian_ingest_audio_seconds_total", "Audio received, all channels.", ["door"])
INGEST_CALLS_ENDED = Counter("tingjian_ingest_calls_ended_total", "Calls that ended at a door.", ["door", "reason"])
INGEST_GAP_SECONDS = Counter("tingjian_ingest_gap_seconds_total", "Audio missing in the stream.", ["door"])
INGEST_FRAMES_DROPPED = Counter("tingjian_ingest_frames_dropped_total", "Frames sent twice or too late.", ["door"])
INGEST_REJECTED = Counter("tingjian_ingest_rejected_total", "Connections and streams refused, by cause.", ["cause"])
INGEST_QUEUE_RECORDS = Gauge("tingjian_ingest_queue_records", "Media records that Kafka has not taken yet.")

# speech
SPEECH_AUDIO_SECONDS = Counter("tingjian_speech_audio_seconds_total", "Audio processed, all channels.", ["lane"])
SPEECH_AUDIO_LAG_SECONDS = Gauge("tingjian_speech_audio_lag_seconds", "Age of the oldest audio not done yet.", ["lane"])
SPEECH_CALLS_OPEN = Gauge("tingjian_speech_calls_open", "Calls being transcribed.", ["lane"])
SPEECH_UTTERANCES_OPEN = Gauge("tingjian_speech_utterances_open", "Utterance streams with a cache slot.", ["lane"])
SPEECH_BATCH_STREAMS = Histogram(
    "tingjian_speech_batch_streams", "Streams of one encoder step.", ["lane"], buckets=BATCH
)
SPEECH_STEP_SECONDS = Histogram("tingjian_speech_step_seconds", "Time of one encoder step.", ["lane"], buckets=STEP_S)
SPEECH_REAL_TIME_FACTOR = Gauge("tingjian_speech_real_time_factor", "Processing time per audio time.", ["lane"])
SPEECH_PARTIAL_LATENCY = Histogram(
    "tingjian_speech_partial_latency_seconds", "End of the audio to its partial.", ["lane"], buckets=LATENCY_S
)
SPEECH_UTTERANCE_LATENCY = Histogram(
    "tingjian_speech_utterance_latency_seconds", "End of the audio to its utterance.", ["lane"], buckets=LATENCY_S
)
SPEECH_UTTERANCES = Counter("tingjian_speech_utterances_total", "Utterances transcribed.", ["lane"])
SPEECH_STREAMS_WAITING = Gauge("tingjian_speech_streams_waiting", "Utterances that wait for a cache slot.", ["lane"])
SPEECH_LATE_RECORDS = Counter("tingjian_speech_late_records_total", "Media after the end of its call.", ["lane"])
SPEECH_IDLE_CALLS = Counter("tingjian_speech_idle_calls_total", "Calls ended because nothing was heard.", ["lane"])
SPEECH_SKIPPED = Counter("tingjian_speech_skipped_total", "Work left out under overload.", ["lane", "what"])

# inspect
INSPECT_CALLS_OPEN = Gauge("tingjian_inspect_calls_open", "Calls with a state.")
INSPECT_RECORDS = Counter("tingjian_inspect_records_total", "Timeline records judged.", ["record"])
INSPECT_STEP_SECONDS = Histogram("tingjian_inspect_step_seconds", "Time of one engine step.", buckets=STEP_S)
INSPECT_VIOLATIONS = Counter("tingjian_inspect_violations_total", "Violations found.", ["severity", "state"])
INSPECT_VIOLATION_LATENCY = Histogram(
    "tingjian_inspect_violation_latency_seconds",
    "End of the offending audio to the violation.",
    ["state"],
    buckets=LATENCY_S,
)
INSPECT_ALERTS = Counter("tingjian_inspect_alerts_total", "Alerts raised.", ["severity"])

# sink
SINK_ROWS = Counter("tingjian_sink_rows_total", "Rows inserted.", ["table"])
SINK_INSERT_SECONDS = Histogram("tingjian_sink_insert_seconds", "Time of one insert.", ["table"], buckets=STEP_S)
SINK_BATCH_ROWS = Histogram(
    "tingjian_sink_batch_rows", "Rows of one insert.", ["table"], buckets=(1, 10, 100, 1_000, 10_000, 100_000)
)
SINK_LAG_RECORDS = Gauge("tingjian_sink_lag_records", "Records not inserted yet.", ["topic"])
