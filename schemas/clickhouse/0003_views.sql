-- What people and programs ask: repeats removed, states merged.

CREATE VIEW IF NOT EXISTS {database}.calls {on_cluster} AS
SELECT
    call_starts.call_id AS call_id,
    started_at,
    lane,
    direction,
    scenario,
    queue,
    team_id,
    agent_id,
    customer_id,
    language,
    channels,
    attributes,
    door,
    ruleset,
    notEmpty(call_ends.call_id) AS ended,
    ended_at,
    duration_ms,
    reason,
    detail,
    audio_ms,
    transcribed_ms,
    evaluated_ms,
    skipped
FROM {database}.call_starts FINAL
GLOBAL LEFT JOIN {database}.call_ends FINAL ON call_starts.call_id = call_ends.call_id;

CREATE VIEW IF NOT EXISTS {database}.current_score_items {on_cluster} AS
SELECT score_items.*
FROM {database}.score_items FINAL
GLOBAL INNER JOIN {database}.scorecards FINAL
    ON score_items.call_id = scorecards.call_id AND score_items.version = scorecards.version;

CREATE VIEW IF NOT EXISTS {database}.violations_by_minute {on_cluster} AS
SELECT
    minute,
    team_id,
    agent_id,
    scenario,
    rule_id,
    severity,
    uniqMerge(seen) AS seen,
    uniqMerge(confirmed) AS confirmed,
    uniqMerge(retracted) AS retracted,
    uniqMerge(calls) AS calls
FROM {database}.violation_minutes
GROUP BY minute, team_id, agent_id, scenario, rule_id, severity;

CREATE VIEW IF NOT EXISTS {database}.calls_by_minute {on_cluster} AS
SELECT
    minute,
    team_id,
    agent_id,
    scenario,
    uniqMerge(started) AS started,
    uniqMerge(scored) AS scored,
    uniqMerge(failed) AS failed
FROM {database}.call_minutes
GROUP BY minute, team_id, agent_id, scenario;

CREATE VIEW IF NOT EXISTS {database}.alerts_by_minute {on_cluster} AS
SELECT
    minute,
    team_id,
    agent_id,
    rule_id,
    severity,
    uniqMerge(raised) AS raised,
    uniqMerge(retracted) AS retracted
FROM {database}.alert_minutes
GROUP BY minute, team_id, agent_id, rule_id, severity;
