-- Aggregates a minute, kept up to date by every insert.
--
-- They hold sets of ids (uniq states), never counters: an insert that repeats adds nothing. Read them through the views
-- `violations_by_minute`, `calls_by_minute` and `alerts_by_minute` of 0003, or with uniqMerge.

CREATE TABLE IF NOT EXISTS {database}.violation_minutes{local} {on_cluster}
(
    minute DateTime('UTC'),
    team_id LowCardinality(String),
    agent_id String,
    scenario LowCardinality(String),
    rule_id LowCardinality(String),
    severity LowCardinality(String),
    seen AggregateFunction(uniq, String),
    confirmed AggregateFunction(uniq, String),
    retracted AggregateFunction(uniq, String),
    calls AggregateFunction(uniq, String)
)
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, team_id, agent_id, scenario, rule_id, severity);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.violation_minutes_view {on_cluster}
TO {database}.violation_minutes{local} AS
SELECT
    toStartOfMinute(audio_at) AS minute,
    team_id,
    agent_id,
    scenario,
    rule_id,
    severity,
    uniqState(violation_id) AS seen,
    uniqStateIf(violation_id, state = 'confirmed') AS confirmed,
    uniqStateIf(violation_id, state = 'retracted') AS retracted,
    uniqStateIf(call_id, state = 'confirmed') AS calls
FROM {database}.violations{local}
GROUP BY minute, team_id, agent_id, scenario, rule_id, severity;

CREATE TABLE IF NOT EXISTS {database}.call_minutes{local} {on_cluster}
(
    minute DateTime('UTC'),
    team_id LowCardinality(String),
    agent_id String,
    scenario LowCardinality(String),
    started AggregateFunction(uniq, String),
    scored AggregateFunction(uniq, String),
    failed AggregateFunction(uniq, String)
)
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, team_id, agent_id, scenario);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.call_minutes_started_view {on_cluster}
TO {database}.call_minutes{local} AS
SELECT
    toStartOfMinute(started_at) AS minute,
    team_id,
    agent_id,
    scenario,
    uniqState(call_id) AS started
FROM {database}.call_starts{local}
GROUP BY minute, team_id, agent_id, scenario;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.call_minutes_scored_view {on_cluster}
TO {database}.call_minutes{local} AS
SELECT
    toStartOfMinute(at) AS minute,
    team_id,
    agent_id,
    scenario,
    uniqState(call_id) AS scored,
    uniqStateIf(call_id, fatal) AS failed
FROM {database}.scorecards{local}
WHERE state = 'final'
GROUP BY minute, team_id, agent_id, scenario;

CREATE TABLE IF NOT EXISTS {database}.alert_minutes{local} {on_cluster}
(
    minute DateTime('UTC'),
    team_id LowCardinality(String),
    agent_id String,
    rule_id LowCardinality(String),
    severity LowCardinality(String),
    raised AggregateFunction(uniq, String),
    retracted AggregateFunction(uniq, String)
)
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, team_id, agent_id, rule_id, severity);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.alert_minutes_view {on_cluster}
TO {database}.alert_minutes{local} AS
SELECT
    toStartOfMinute(at) AS minute,
    team_id,
    agent_id,
    rule_id,
    severity,
    uniqState(alert_id) AS raised,
    uniqStateIf(alert_id, state = 'retracted') AS retracted
FROM {database}.alerts{local}
GROUP BY minute, team_id, agent_id, rule_id, severity;
