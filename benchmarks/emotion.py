"""How soon rising anger is noticed, and how often calm speakers are accused of it.

Synthetic voices (espeak-ng, all its variants, each with a line, a level, a rate and habits of its own) say sentences;
of some, pitch, level, rate and words are ramped up from a known moment; the others stay calm, and some of them are
loud, fast or high by nature. What is measured is the sound at the end of a telephone line, by
`processors.speech.acoustics`, as in a call; the words are taken as they were spoken. Nothing of it was used for
training anything.

The detector of `processors.inspect.emotion` (own baseline, CUSUM) is compared with thresholds for each utterance
without a baseline, with the same vocabulary of feeling, set as strictly as they may be to find as many of the rising
speakers. False alarms are counted over two kinds of calm speakers: those who never say an angry word, and those of
whose sentences one in a hundred is angry by its words but said in a calm voice. Of the first, no detector that listens
to words alone can accuse anybody: nothing of the kind is said. How often the second happens in real calls is assumed.

    python -m benchmarks.emotion [--speakers 60] [--seed 7]

The settings of the detector were chosen over series of measurements that were drawn, not spoken.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from processors.inspect.emotion import BAD_VALENCE, EmotionState, observe
from processors.inspect.feeling_words import shipped_words
from processors.records import Acoustics, EmotionPoint, Utterance
from processors.speech.acoustics import measure
from processors.speech.resample import RATE_HZ
from processors.tuning import channel
from processors.tuning.sounds import trim
from processors.tuning.speak import BASE_VOICE, RATE_WPM, synthesiser

CALM_TEXTS = (
    "我想问一下这个月的账单",
    "那我什么时候可以还",
    "好的我知道了",
    "是的就是这个号码",
    "你帮我查一下",
    "嗯那利率是多少",
    "我上个月办的分期",
    "那需要什么材料",
)
ANGRY_TEXTS = (
    "你们这样太过分了",
    "我说了多少遍了",
    "凭什么扣我的钱",
    "你们就是骗子",
    "我要投诉你们",
    "这是什么态度",
    "气死我了",
)
CALM_UTTERANCES = 15
RAMP_UTTERANCES = 6
HIGH_UTTERANCES = 8
GAP_MS = 4000
LINE_HZ = 8000
SEMITONES = 0.215
"""Of one step of espeak-ng's pitch, as measured over several voices."""
PITCH_RANGE = 50
SLIPS = 0.01
"""Share of angry sentences of calm speakers of the second kind."""


@dataclass(frozen=True)
class Voice:
    """One speaker on one line, and how much he varies from utterance to utterance."""

    variant: str
    pitch: float
    """As espeak-ng counts, 0 to 99."""
    wpm: float
    level_db: float
    noise: str
    snr_db: float
    codec: str
    pitch_sd_st: float
    level_sd_db: float
    rate_sd: float


@dataclass(frozen=True)
class Ramp:
    """What rises, in full after `RAMP_UTTERANCES`."""

    name: str
    pitch_st: float = 0.0
    level_db: float = 0.0
    rate: float = 0.0
    words: float = 0.0
    """Share of angry sentences at the top of the ramp."""


RAMPS = (
    Ramp("all", 5, 9, 0.30, 0.6),
    Ramp("voice only", 5, 9, 0.30),
    Ramp("half", 2.5, 4.5, 0.15, 0.3),
    Ramp("pitch only", pitch_st=6),
    Ramp("level only", level_db=10),
    Ramp("rate only", rate=0.5),
    Ramp("words only", words=0.8),
)


def draw_voice(random_: random.Random) -> Voice:
    """A caller: any voice, near or far from the microphone, slow or fast, on a good line or a bad one."""
    return Voice(
        variant=random_.choice(("", *synthesiser().variants)),
        pitch=random_.uniform(30, 60),
        wpm=random_.gauss(200, 25),
        level_db=random_.gauss(-24, 5),
        noise=random_.choice(channel.NOISES[:4]),
        snr_db=random_.uniform(12, 30),
        codec=random_.choice(("pcma", "pcmu")),
        pitch_sd_st=random_.uniform(0.6, 1.5),
        level_sd_db=random_.uniform(0.8, 2.2),
        rate_sd=random_.uniform(0.07, 0.16),
    )


def say(voice: Voice, text: str, up_st: float, up_db: float, faster: float, draw: np.random.Generator) -> Acoustics:
    """What is measured of a sentence that is said so much higher, louder and faster than the voice's own way."""
    pitch = round(min(99.0, max(0.0, voice.pitch + up_st / SEMITONES)))
    wpm = round(min(RATE_WPM[1], max(RATE_WPM[0], voice.wpm * (1 + faster))))
    speaker = synthesiser()
    samples = trim(speaker.speak(text, voice.variant, wpm, pitch, PITCH_RANGE, BASE_VOICE))
    narrow = channel.band(channel.resample(samples, speaker.sample_rate_hz, LINE_HZ), LINE_HZ, 300.0, 3400.0)
    loud = channel.level(narrow, min(-3.0, voice.level_db + up_db))
    hiss = channel.noise(draw, voice.noise, len(loud), LINE_HZ) * 10 ** ((voice.level_db - voice.snr_db) / 20)
    line = channel.g711(np.clip(loud + hiss, -1, 1).astype(np.float32), voice.codec)
    found = measure(channel.resample(line, LINE_HZ, RATE_HZ), (), 0)
    return replace(found, chars_per_min=len(text) * 60 * LINE_HZ / len(line))


def speak(random_: random.Random, voice: Voice, ramp: Ramp | None, slips: float = 0.0) -> Iterator[Utterance]:
    """One side of a call: calm utterances, then the ramp, then its top; `ramp` None stays calm to the end.

    `slips` is the share of angry sentences in a calm voice.
    """
    draw = np.random.default_rng(random_.getrandbits(32))
    start_ms = 0
    for number in range(CALM_UTTERANCES + RAMP_UTTERANCES + HIGH_UTTERANCES):
        share = 0.0 if ramp is None else min(1.0, max(0.0, (number - CALM_UTTERANCES + 1) / RAMP_UTTERANCES))
        up = ramp or Ramp("")
        angry = random_.random() < max(slips, up.words * share)
        text = random_.choice(ANGRY_TEXTS if angry else CALM_TEXTS)
        acoustics = say(
            voice,
            text,
            up.pitch_st * share + random_.gauss(0, voice.pitch_sd_st),
            up.level_db * share + random_.gauss(0, voice.level_sd_db),
            (1 + up.rate * share) * (1 + random_.gauss(0, voice.rate_sd)) - 1,
            draw,
        )
        end_ms = start_ms + round(len(text) * 60_000 / acoustics.chars_per_min)
        yield Utterance(
            utterance_id=f"c/1/{number}",
            call_id="c",
            channel=1,
            role="customer",
            utterance_no=number,
            start_ms=start_ms,
            end_ms=end_ms,
            text=text,
            confidence=0.9,
            at_ms=end_ms,
            acoustics=acoustics,
        )
        start_ms = end_ms + GAP_MS


Detector = Callable[[Sequence[Utterance]], list[bool]]


def ours(utterances: Sequence[Utterance]) -> list[bool]:
    """Rising, by the trend of `processors.inspect.emotion`."""
    return [point.trend == "rising" for point in points_of(utterances)]


def angry(utterances: Sequence[Utterance]) -> list[bool]:
    """Angry, by its label."""
    return [point.label == "angry" for point in points_of(utterances)]


def points_of(utterances: Sequence[Utterance]) -> list[EmotionPoint]:
    """All points of one speaker."""
    state, points = EmotionState(), []
    for utterance in utterances:
        state, point = observe(state, utterance)
        if point is not None:
            points.append(point)
    return points


def threshold(strictness: float) -> Detector:
    """An utterance is angry when two of pitch, level and rate pass fixed limits, or when its words are angry."""

    def detect(utterances: Sequence[Utterance]) -> list[bool]:
        found = []
        for utterance in utterances:
            acoustics = utterance.acoustics
            if acoustics is None:
                found.append(False)
                continue
            loud = acoustics.level_db > -22 + 6 * strictness
            high = (acoustics.pitch_hz or 0.0) > 200 + 50 * strictness
            fast = acoustics.chars_per_min > 270 + 50 * strictness
            found.append(loud + high + fast >= 2 or is_angry(utterance))
        return found

    return detect


def is_angry(utterance: Utterance) -> bool:
    """Whether the words are, by the vocabulary and the limit of our own label."""
    return shipped_words().feel(utterance.text, utterance.role).valence <= BAD_VALENCE


@dataclass(frozen=True)
class Found:
    """What a detector finds of one ramp; delays are medians from its first utterance."""

    share: float
    delay_utterances: float
    delay_s: float


@dataclass(frozen=True)
class Alarms:
    """False ones: onsets an hour of calls, and the share of speakers with at least one."""

    an_hour: float
    accused: float


def find(detect: Detector, rising: Sequence[list[Utterance]]) -> Found:
    """What is found of the rising speakers."""
    delays, seconds = [], []
    for utterances in rising:
        flags = detect(utterances)
        hit = next((n for n in range(CALM_UTTERANCES, len(flags)) if flags[n]), None)
        if hit is not None:
            delays.append(hit - CALM_UTTERANCES)
            seconds.append((utterances[hit].end_ms - utterances[CALM_UTTERANCES].start_ms) / 1000)
    return Found(
        share=len(delays) / len(rising),
        delay_utterances=statistics.median(delays) if delays else float("nan"),
        delay_s=statistics.median(seconds) if seconds else float("nan"),
    )


def accuse(detect: Detector, calm: Sequence[list[Utterance]]) -> Alarms:
    """Onsets of alarms where there is nothing."""
    onsets, hours, accused = 0, 0.0, 0
    for utterances in calm:
        flags = detect(utterances)
        starts = sum(flag and not before for before, flag in zip([False, *flags], flags, strict=False))
        onsets += starts
        accused += starts > 0
        hours += utterances[-1].end_ms / 3_600_000
    return Alarms(onsets / hours, accused / len(calm))


def matched_threshold(share: float, rising: Sequence[list[Utterance]]) -> Detector:
    """The strictest fixed thresholds that still find that share of the rising speakers."""
    for step in range(30, -31, -1):
        detect = threshold(step / 10)
        if find(detect, rising).share >= share - 0.005:
            return detect
    return threshold(-3.0)


def series(speakers: int, seed: int) -> None:
    """The table."""
    random_ = random.Random(seed)
    kinds = [
        [list(speak(random_, draw_voice(random_), None, slips)) for _ in range(speakers)] for slips in (0.0, SLIPS)
    ]
    own = {
        name: (detect, [accuse(detect, calm) for calm in kinds])
        for name, detect in (("trend rising", ours), ("label angry", angry))
    }
    print(f"{'':58}no angry words     one sentence in {1 / SLIPS:.0f}")
    alarms = f"{'false/h':>8} {'accused':>8}"
    print(f"{'ramp':12} {'detector':24} {'found':>5} {'delay':>12} {alarms} {alarms}")
    for ramp in RAMPS:
        rising = [list(speak(random_, draw_voice(random_), ramp)) for _ in range(speakers)]
        rows = [(name, find(detect, rising), falsely) for name, (detect, falsely) in own.items()]
        fixed = matched_threshold(rows[0][1].share, rising)
        rows.append(("thresholds, no baseline", find(fixed, rising), [accuse(fixed, calm) for calm in kinds]))
        for name, found, falsely in rows:
            print(row(ramp.name, name, found, falsely), flush=True)


def row(ramp: str, name: str, found: Found, alarms: Sequence[Alarms]) -> str:
    """One line of the table."""
    delay = f"{found.delay_utterances:.0f} u {found.delay_s:.1f} s"
    falsely = " ".join(f"{one.an_hour:8.2f} {one.accused:8.3f}" for one in alarms)
    return f"{ramp:12} {name:24} {found.share:5.2f} {delay:>12} {falsely}"


def main() -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speakers", type=int, default=60, help="speakers of each kind")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    series(options.speakers, options.seed)


if __name__ == "__main__":
    main()
