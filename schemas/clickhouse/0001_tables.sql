-- What happened in each call, one row for each identity.
--
-- `version` is the position (offset) of the record behind the row: of rows with one key, the one with the highest
-- version counts, so a record that is sent or inserted again changes nothing. Ask with FINAL.
-- `{database}`, `{on_cluster}`, `{replicated}` and `{local}` are filled in by `tingjian migrate`: the same file serves a
-- server, a cluster (replicated tables `x_local` behind distributed tables `x`) and embedded chDB.
-- Times of day are UTC; `..._ms` without a date is time since the start of the call.

CREATE TABLE IF NOT EXISTS {database}.call_starts{local} {on_cluster}
(
    call_id String,
    started_at DateTime64(3, 'UTC'),
    lane LowCardinality(String),
    direction LowCardinality(String),
    scenario LowCardinality(String),
    queue LowCardinality(String),
    team_id LowCardinality(String),
    agent_id String,
    customer_id String,
    language LowCardinality(String),
    channels Array(LowCardinality(String)),
    attributes Map(String, String),
    door LowCardinality(String),
    ruleset String,
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY call_id
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.call_ends{local} {on_cluster}
(
    call_id String,
    ended_at DateTime64(3, 'UTC'),
    duration_ms Int64,
    reason LowCardinality(String),
    detail String,
    audio_ms Int64,
    transcribed_ms Int64,
    evaluated_ms Int64,
    skipped Array(Tuple(reason String, amount_ms Int64, count Int64)),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ended_at)
ORDER BY call_id
SETTINGS non_replicated_deduplication_window = 1000;

-- Holds, gaps, voiceprint checks and agents who took over: `kind` is hold, unhold, media_gap, speaker_check, agent_joined.
CREATE TABLE IF NOT EXISTS {database}.call_events{local} {on_cluster}
(
    call_id String,
    kind LowCardinality(String),
    channel Int32,
    start_ms Int64,
    end_ms Int64,
    detail String,
    agent_id String,
    team_id String,
    value Nullable(Float64),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (call_id, start_ms, kind, channel)
SETTINGS non_replicated_deduplication_window = 1000;

-- `text` and `written` are redacted: masked characters keep their places, so positions of evidence stay right.
CREATE TABLE IF NOT EXISTS {database}.utterances{local} {on_cluster}
(
    utterance_id String,
    call_id String,
    channel Int32,
    role LowCardinality(String),
    utterance_no Int32,
    start_ms Int64,
    end_ms Int64,
    at DateTime64(3, 'UTC'),
    text String,
    written String,
    confidence Float32,
    token_chars Array(UInt16),
    token_start_ms Array(Int64),
    token_end_ms Array(Int64),
    level_db Nullable(Float32),
    pitch_hz Nullable(Float32),
    pitch_range_st Nullable(Float32),
    chars_per_min Nullable(Float32),
    overlap_ms Nullable(Int64),
    sentiment Nullable(Float32),
    intents Map(LowCardinality(String), Float32),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (call_id, channel, utterance_no)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.violations{local} {on_cluster}
(
    violation_id String,
    call_id String,
    rule_id LowCardinality(String),
    rule_name LowCardinality(String),
    rule_version LowCardinality(String),
    ruleset LowCardinality(String),
    ruleset_version LowCardinality(String),
    state LowCardinality(String),
    severity LowCardinality(String),
    points Float64,
    fatal Bool,
    role LowCardinality(String),
    agent_id String,
    team_id LowCardinality(String),
    scenario LowCardinality(String),
    start_ms Int64,
    end_ms Int64,
    call_ms Int64,
    evidence Array(Tuple(
        utterance_id String,
        channel Int32,
        start_ms Int64,
        end_ms Int64,
        quote String,
        char_from Int32,
        char_to Int32,
        operator String,
        value Nullable(Float64)
    )),
    explanation String,
    audio_at DateTime64(3, 'UTC'),
    detected_at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(audio_at)
ORDER BY (call_id, violation_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.emotions{local} {on_cluster}
(
    call_id String,
    channel Int32,
    role LowCardinality(String),
    call_ms Int64,
    at DateTime64(3, 'UTC'),
    arousal Float32,
    valence Float32,
    label LowCardinality(String),
    trend LowCardinality(String),
    utterance_id String,
    drivers Array(Tuple(name String, value Float64, baseline Float64, z Float64)),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (call_id, channel, call_ms)
SETTINGS non_replicated_deduplication_window = 1000;

-- One row a call: the running card is replaced by the final one.
CREATE TABLE IF NOT EXISTS {database}.scorecards{local} {on_cluster}
(
    call_id String,
    state LowCardinality(String),
    points Float64,
    fatal Bool,
    scheme LowCardinality(String),
    ruleset LowCardinality(String),
    ruleset_version LowCardinality(String),
    agent_id String,
    team_id LowCardinality(String),
    scenario LowCardinality(String),
    call_ms Int64,
    at DateTime64(3, 'UTC'),
    duration_ms Int64,
    talk_ms Map(LowCardinality(String), Int64),
    talk_ratio_agent Float64,
    silence_ms Int64,
    longest_silence_ms Int64,
    overlap_ms Int64,
    overlaps Int64,
    hold_ms Int64,
    chars_per_min Map(LowCardinality(String), Float64),
    utterances Int64,
    audio_ms Int64,
    transcribed_ms Int64,
    evaluated_ms Int64,
    skipped Array(Tuple(reason String, amount_ms Int64, count Int64)),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY call_id
SETTINGS non_replicated_deduplication_window = 1000;

-- Lines of scorecards. Those of the current card have its version; the view `current_score_items` picks them.
CREATE TABLE IF NOT EXISTS {database}.score_items{local} {on_cluster}
(
    call_id String,
    item_id String,
    name String,
    dimension LowCardinality(String),
    points Float64,
    hits Int64,
    fatal Bool,
    applicable Bool,
    violation_ids Array(String),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (call_id, item_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.flow_progress{local} {on_cluster}
(
    call_id String,
    flow_id LowCardinality(String),
    name LowCardinality(String),
    current String,
    done Bool,
    call_ms Int64,
    steps Array(Tuple(
        step_id String,
        name String,
        state String,
        due_ms Nullable(Int64),
        at_ms Nullable(Int64),
        points Float64
    )),
    ruleset_version LowCardinality(String),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (call_id, flow_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.alerts{local} {on_cluster}
(
    alert_id String,
    call_id String,
    state LowCardinality(String),
    cause LowCardinality(String),
    violation_id String,
    rule_id LowCardinality(String),
    severity LowCardinality(String),
    recipients Array(String),
    agent_id String,
    team_id LowCardinality(String),
    text String,
    call_ms Int64,
    at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (call_id, alert_id)
SETTINGS non_replicated_deduplication_window = 1000;
