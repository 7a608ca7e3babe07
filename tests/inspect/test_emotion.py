"""Emotion of a speaker."""

from __future__ import annotations

import json
from collections.abc import Iterable

from processors.inspect.emotion import EmotionState, dump_state, load_state, observe
from processors.inspect.feeling_words import FeelingWords, shipped_words
from processors.records import EmotionPoint, Utterance
from tests.inspect.timeline import said


def run(utterances: Iterable[Utterance]) -> list[EmotionPoint]:
    """The points of all utterances, with the state written and read between each two."""
    state, points = EmotionState(), []
    for utterance in utterances:
        state, point = observe(state, utterance)
        state = load_state(json.loads(json.dumps(dump_state(state))))
        points += [point] if point else []
    return points


def speech(n: int, *, level_db: float = -26, pitch_hz: float = 200, rate: float = 240, text: str = "") -> Utterance:
    """The `n`-th utterance of the customer: 2 s long, every 5 s, with a little natural variation."""
    return said(
        1,
        n * 5000,
        n * 5000 + 2000,
        text or "我想问一下账单",
        level_db=level_db + (n * 7 % 3 - 1) * 0.8,
        pitch_hz=pitch_hz * (1 + (n * 5 % 3 - 1) * 0.02),
        chars_per_min=rate * (1 + (n * 3 % 4 - 1.5) * 0.03),
    )


def test_a_speaker_who_stays_the_same_stays_calm_and_steady() -> None:
    points = run(speech(n) for n in range(40))
    assert {(point.label, point.trend) for point in points} == {("calm", "steady")}


def test_a_loud_fast_high_voice_is_normal_for_its_owner() -> None:
    points = run(speech(n, level_db=-8, pitch_hz=320, rate=360) for n in range(40))
    assert {(point.label, point.trend) for point in points} == {("calm", "steady")}


def test_rising_voice_is_rising_tension_then_anger_and_says_what_drove_it() -> None:
    calm = [speech(n) for n in range(8)]
    hot = [speech(8 + n, level_db=-26 + 4 * n, pitch_hz=200 + 18 * n, rate=240 + 20 * n) for n in range(6)]
    points = run([*calm, *hot])[8:]
    assert "rising" in [point.trend for point in points[:4]]
    assert points[-1].label == "angry"
    assert points[-1].arousal > 2
    assert {driver.name for driver in points[-1].drivers[:3]} == {"level_db", "pitch_hz", "chars_per_min"}
    sizes = [abs(driver.z) for driver in points[-1].drivers]
    assert sizes == sorted(sizes, reverse=True)


def test_drivers_name_the_value_and_the_speakers_own_baseline_in_their_units() -> None:
    points = run([*(speech(n) for n in range(8)), speech(8, level_db=-10)])
    (level,) = [driver for driver in points[-1].drivers if driver.name == "level_db"]
    assert level == points[-1].drivers[0]
    assert abs(level.baseline - -26) < 1.5 and abs(level.value - -10) < 1.5 and level.z > 3


def test_a_trend_that_is_not_renewed_becomes_steady_and_calming_down_is_falling() -> None:
    calm = [speech(n) for n in range(8)]
    hot = [speech(8 + n, level_db=-10, pitch_hz=280, rate=330) for n in range(12)]
    cool = [speech(20 + n) for n in range(12)]
    trends = [point.trend for point in run([*calm, *hot, *cool])]
    assert "rising" in trends[8:12]
    assert trends[19] == "steady"
    assert "falling" in trends[20:25]
    assert trends[-1] == "steady"


def test_insults_are_anger_without_any_acoustics() -> None:
    points = run([said(1, 0, 2000, "你们就是一群骗子混蛋"), said(1, 4000, 6000, "气死我了你们太过分了")])
    assert points[-1].label == "angry"
    assert points[-1].drivers[0].name == "words"


def test_sad_words_in_a_low_slow_voice_are_dejected() -> None:
    calm = [speech(n) for n in range(6)]
    low = [speech(6 + n, level_db=-34, pitch_hz=165, rate=150, text="我实在没办法了没钱还") for n in range(4)]
    assert run([*calm, *low])[-1].label == "dejected"


def test_a_raised_voice_with_friendly_words_is_not_anger() -> None:
    calm = [speech(n) for n in range(6)]
    glad = [speech(6 + n, level_db=-17, pitch_hz=250, text="太好了谢谢你服务真好") for n in range(5)]
    assert "angry" not in {point.label for point in run([*calm, *glad])}


def test_sentiment_counts_where_it_was_measured() -> None:
    points = run([said(1, n * 4000, n * 4000 + 2000, "这个事情就这样", sentiment=-0.9) for n in range(4)])
    assert points[-1].valence < -0.3
    assert points[-1].drivers[0].name == "sentiment"


def test_silence_of_the_other_party_counts_for_the_one_who_waits() -> None:
    points = run([said(1, 0, 2000, "请问有人吗"), said(1, 17_000, 18_000, "请问有人吗")])
    assert "silence" in [driver.name for driver in points[-1].drivers]
    assert points[-1].arousal > 0


def test_a_pause_of_four_seconds_is_not_yet_being_left_alone() -> None:
    points = run([said(1, 0, 2000, "请问有人吗"), said(1, 6000, 7000, "请问有人吗")])
    assert "silence" not in [driver.name for driver in points[-1].drivers]


def test_being_interrupted_counts_for_the_one_who_is_interrupted() -> None:
    customer = said(1, 0, 6000, "我上个月已经还了一部分")
    agent = said(0, 3000, 8000, "你先听我说完")
    later = said(1, 9000, 10_000, "你让我说")
    points = run([customer, agent, later])
    assert "overlap" in [driver.name for driver in points[2].drivers]
    assert "overlap" not in [driver.name for driver in points[1].drivers]


def test_the_order_in_which_the_two_close_does_not_matter_for_who_was_interrupted() -> None:
    customer = said(1, 0, 9000, "我上个月已经还了一部分")
    agent = said(0, 3000, 6000, "你先听我说完")
    (_, point) = run([agent, customer])
    assert [driver.value for driver in point.drivers if driver.name == "overlap"] == [3000.0]


def test_an_utterance_without_words_gives_no_point() -> None:
    assert run([said(1, 0, 300, "")]) == []


def test_channels_have_baselines_of_their_own() -> None:
    agent = [said(0, n * 5000 + 2500, n * 5000 + 4500, level_db=-10, pitch_hz=120, chars_per_min=300) for n in range(9)]
    both = sorted([*agent, *(speech(n) for n in range(9))], key=lambda utterance: utterance.start_ms)
    assert {point.label for point in run(both)} == {"calm"}


def test_the_state_of_a_long_call_is_small() -> None:
    state = EmotionState()
    for n in range(500):
        state, _ = observe(state, speech(n))
        state, _ = observe(state, said(0, n * 5000 + 2500, n * 5000 + 4000, level_db=-20, pitch_hz=120))
    assert len(json.dumps(dump_state(state))) < 700


def test_a_negated_word_is_not_that_feeling() -> None:
    words = shipped_words()
    assert words.feel("我很生气", "customer").valence < -0.5
    assert words.feel("我没有生气", "customer").valence == 0.0
    assert words.feel("我对你们不太满意", "customer").valence < 0
    assert words.feel("我很满意", "customer").valence > 0.5


def test_the_longest_word_counts() -> None:
    assert shipped_words().feel("我非常不满意", "customer").valence < 0


def test_a_word_shows_only_the_feeling_of_its_roles() -> None:
    assert shipped_words().feel("请您谨防诈骗", "agent").valence == 0.0
    assert shipped_words().feel("您可以拨打投诉热线", "agent").tension == 0.0


def test_no_word_is_listed_twice_and_none_is_empty() -> None:
    import yaml

    from processors.inspect import feeling_words

    text = feeling_words.resources.files("processors.inspect").joinpath("vocabulary/emotion-zh.yaml").read_text("utf-8")
    listed = [word for group in yaml.safe_load(text)["groups"].values() for word in group["words"]]
    assert len(listed) == len(set(listed)) and all(listed)
    assert isinstance(FeelingWords(text), FeelingWords)


def test_a_harmonic_that_was_taken_for_the_pitch_says_nothing() -> None:
    calm = [speech(n) for n in range(10)]
    points = run([*calm, *(speech(10 + n, pitch_hz=200 * 4) for n in range(6)), *(speech(16 + n) for n in range(4))])
    assert {(point.label, point.trend) for point in points} == {("calm", "steady")}
    assert not [driver for point in points[10:16] for driver in point.drivers if driver.name == "pitch_hz"]
