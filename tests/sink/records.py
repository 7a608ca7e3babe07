"""One record of each kind that has rows, every field filled."""

from __future__ import annotations

from processors.records import (
    Acoustics,
    AgentJoined,
    Alert,
    AnyRecord,
    CallEnded,
    CallMetrics,
    CallStarted,
    Coverage,
    Driver,
    EmotionPoint,
    Evidence,
    FlowProgress,
    FlowStep,
    HoldChanged,
    Meaning,
    MediaGap,
    Scorecard,
    ScoreItem,
    Skipped,
    SpeakerCheck,
    Token,
    Utterance,
    Violation,
)

AT_MS = 1_764_000_000_123
CALL = "call-1"
COVERAGE = Coverage(
    audio_ms=120_000, transcribed_ms=118_000, evaluated_ms=117_000, skipped=(Skipped(reason="media_gap", amount_ms=20),)
)

STARTED = CallStarted(
    call_id=CALL,
    at_ms=AT_MS,
    lane="live",
    channels=("agent", "customer"),
    scenario="loan-sales",
    team_id="t1",
    agent_id="a1",
    attributes={"vip": "1"},
)
ENDED = CallEnded(call_id=CALL, call_ms=60_000, at_ms=AT_MS + 60_000, reason="hangup", coverage=COVERAGE)
UTTERANCE = Utterance(
    utterance_id=f"{CALL}/0/0",
    call_id=CALL,
    channel=0,
    role="agent",
    utterance_no=0,
    start_ms=500,
    end_ms=1_500,
    text="您的电话是一三八零零一三八零零零吗",
    written="您的电话是13800138000吗",
    confidence=0.9,
    at_ms=AT_MS + 1_500,
    tokens=tuple(
        Token(text=char, start_ms=500 + n * 50, end_ms=540 + n * 50, confidence=0.9)
        for n, char in enumerate("您的电话是一三八零零一三八零零零吗")
    ),
    acoustics=Acoustics(level_db=-20.5, chars_per_min=240.0, overlap_ms=0, pitch_hz=180.0, pitch_range_st=4.0),
    meaning=Meaning(sentiment=-0.5, intents={"complaint": 0.25}, vector=b"\x00\x01"),
)
EVIDENCE = Evidence(
    start_ms=500,
    end_ms=1_500,
    operator="said",
    utterance_id=UTTERANCE.utterance_id,
    channel=0,
    quote="一三八零零一三八零零零",
    char_from=5,
    char_to=16,
    value=1.5,
)
VIOLATION = Violation(
    violation_id="7c9e6679-7425-5a3b-8c2a-000000000001",
    call_id=CALL,
    rule_id="guaranteed-approval",
    rule_name="承诺下款",
    rule_version="0123456789ab",
    ruleset_version="ba9876543210",
    state="confirmed",
    severity="high",
    points=-15.0,
    fatal=False,
    role="agent",
    agent_id="a1",
    team_id="t1",
    scenario="loan-sales",
    start_ms=500,
    end_ms=1_500,
    call_ms=2_000,
    evidence=(EVIDENCE,),
    explanation="说了 13800138000",
    audio_at_ms=AT_MS + 1_500,
    detected_at_ms=AT_MS + 1_900,
)
EMOTION = EmotionPoint(
    call_id=CALL,
    channel=1,
    role="customer",
    call_ms=3_000,
    arousal=1.5,
    valence=-0.5,
    label="angry",
    trend="rising",
    at_ms=AT_MS + 3_000,
    utterance_id=f"{CALL}/1/0",
    drivers=(Driver(name="pitch_hz", value=220.0, baseline=180.0, z=2.5),),
)
SCORECARD = Scorecard(
    call_id=CALL,
    state="final",
    points=85.0,
    fatal=True,
    ruleset_version="ba9876543210",
    metrics=CallMetrics(duration_ms=60_000, talk_ms={"agent": 20_000}, chars_per_min={"agent": 240.0}, utterances=1),
    coverage=COVERAGE,
    call_ms=60_000,
    at_ms=AT_MS + 60_000,
    agent_id="a1",
    team_id="t1",
    scenario="loan-sales",
    items=(
        ScoreItem(item_id="i1", name="话术", points=-15.0, hits=1, violation_ids=(VIOLATION.violation_id,)),
        ScoreItem(item_id="i2", name="问候", points=0.0, applicable=False),
    ),
)
FLOW = FlowProgress(
    call_id=CALL,
    flow_id="collection",
    steps=(FlowStep(step_id="s1", name="核身", state="done", due_ms=None, at_ms=1_000, points=5.0),),
    done=False,
    call_ms=1_000,
)
ALERT = Alert(
    alert_id="7c9e6679-7425-5a3b-8c2a-000000000002",
    call_id=CALL,
    cause="violation",
    severity="high",
    text="坐席说了 13800138000",
    call_ms=2_000,
    at_ms=AT_MS + 2_000,
    violation_id=VIOLATION.violation_id,
    rule_id=VIOLATION.rule_id,
    recipients=("supervisor",),
    agent_id="a1",
    team_id="t1",
)
EVENTS: tuple[AnyRecord, ...] = (
    AgentJoined(call_id=CALL, call_ms=5_000, agent_id="a2", team_id="t2"),
    HoldChanged(call_id=CALL, call_ms=6_000, held=True),
    HoldChanged(call_id=CALL, call_ms=9_000, held=False),
    MediaGap(call_id=CALL, channel=1, start_ms=100, end_ms=300, reason="packet_loss"),
    SpeakerCheck(
        call_id=CALL, channel=0, role="agent", call_ms=9_500, agent_id="a1", score=0.5, threshold=0.7, matched=False
    ),
)
ALL: tuple[AnyRecord, ...] = (
    *(STARTED, UTTERANCE, VIOLATION, EMOTION, FLOW, ALERT, SCORECARD),
    *EVENTS,
    ENDED,
)
