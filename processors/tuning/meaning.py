"""Trains the heads of the meaning model from labelled sentences, and the background vectors that calibrate `similar`.

Every fifth sentence of a label is held out, every twelfth template of the background is (see `text.Template`). The
shipped heads are trained on the rest, the figures are about what was held out, and the model card is written from them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from processors.inspect.similarity import BACKGROUND, calibrate
from processors.runtime.errors import UserError
from processors.runtime.sentences import DEFAULT, Encoder, sentence_encoder
from processors.speech.meaning import SENTIMENTS, SHIPPED, Heads, centre
from processors.tuning.text import fill, load_templates, spoken

DATA = Path(__file__).parent / "data"
CARD = SHIPPED.with_suffix(".md")
HELD_OUT_EVERY = 5
NONE = ""
"""Label of a sentence that is none of the intents."""
STRENGTH = 60.0
"""Inverse regularisation of the logistic regressions; chosen by cross-validation on the training part."""
BACKGROUND_SENTENCES = 800
SHORTEST, LONGEST = 4, 40
"""Characters of a background sentence."""
SEED = 1
EXAMPLES_OF_A_RULE = 3
"""Sentences that a rule with `similar` may have: so many of an intent are compared with its held-out ones."""
THRESHOLDS = (0.5, 0.6, 0.8)
FEELING = 1 / 3
"""Sentiment beyond which a sentence counts as positive or negative."""

Vectors = NDArray[np.float32]
Labels = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class IntentFigures:
    """Of one intent at the threshold of the `intent` operator: share of its sentences found, and of findings right."""

    name: str
    examples: int
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class SimilarFigures:
    """Of `similar` at one threshold, over sets of examples: paraphrases found, background sentences taken for one."""

    at_least: float
    recall: float
    false_alarms: float
    most_false_alarms: float  # of the worst set


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured on held-out sentences; shares of 1."""

    encoder: str
    sentences: int  # of all labels, training and held out
    held_out: int
    intent_accuracy: float  # the best intent is the right one
    at_least: float  # the threshold of the figures of the intents
    intents: tuple[IntentFigures, ...]
    none_found: float  # sentences that are none of the intents, taken for one
    sentiment_accuracy: float
    similar: tuple[SimilarFigures, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Sentences with their labels; `held` are those that training never sees."""

    labels: Labels
    sentences: tuple[str, ...]
    held: NDArray[np.bool_]


def read_labels(path: Path) -> dict[str, list[str]]:
    """Label to sentences. Raises UserError when the file is not of that shape."""
    labels = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(labels, dict) or not all(isinstance(v, list) and v for v in labels.values()):
        raise UserError(f"{path}: write a mapping of labels, each with a list of sentences")
    return {str(label): [str(s) for s in sentences] for label, sentences in labels.items()}


def read_sentences(path: Path) -> list[str]:
    """A list of sentences. Raises UserError when the file is not one."""
    sentences = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(sentences, list) or not sentences:
        raise UserError(f"{path}: write a list of sentences")
    return [str(sentence) for sentence in sentences]


def background_sentences(held_out: bool = False) -> list[str]:
    """What is said in call centres of all kinds, one sentence a template, its slots filled; always the same."""
    draw = random.Random(SEED)
    filled = [(template, spoken(fill(template.text, draw))) for template in load_templates()]
    found = sorted({text for template, text in filled if template.held_out == held_out and fits(text)})
    draw.shuffle(found)
    return found[:BACKGROUND_SENTENCES]


def fits(text: str) -> bool:
    """Whether a sentence has the length of an utterance."""
    return SHORTEST <= len(text) <= LONGEST


def labelled(labels: Mapping[str, Sequence[str]]) -> Labelled:
    """Sentences of all labels in order, every fifth of each held out."""
    rows = [
        (label, s, i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) for label, ss in labels.items() for i, s in enumerate(ss)
    ]
    return Labelled(np.array([r[0] for r in rows]), tuple(r[1] for r in rows), np.array([r[2] for r in rows]))


def read_data(folder: Path = DATA) -> tuple[Labelled, Labelled]:
    """The labelled intents (with sentences that are none of them) and feelings of a folder."""
    intents = read_labels(folder / "intents.yaml")
    feelings = read_labels(folder / "sentiment.yaml")
    if set(feelings) != set(SENTIMENTS):
        raise UserError(f"{folder / 'sentiment.yaml'}: the labels must be {', '.join(SENTIMENTS)}")
    return labelled({**intents, NONE: read_sentences(folder / "others.yaml")}), labelled(feelings)


def train_meaning(
    data: Path = DATA,
    heads: Path = SHIPPED,
    background: Path = BACKGROUND,
    card: Path = CARD,
    encoder: str = DEFAULT,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Train; write the heads, the background vectors and the model card; return what was measured."""
    encode = remembering(sentence_encoder(encoder))
    intents, feelings = read_data(data)
    progress(f"encoding {len(intents.sentences) + len(feelings.sentences)} labelled sentences")
    intent_vectors, feeling_vectors = encode(intents.sentences), encode(feelings.sentences)
    trained = fit(encoder, intents, intent_vectors, feelings, feeling_vectors)
    progress(f"encoding the background, {BACKGROUND_SENTENCES} sentences")
    backdrop = encode(background_sentences()).astype(np.float16)
    trained.save(heads)
    np.save(background, backdrop)
    report = measure(trained, backdrop.astype(np.float32), encode, intents, feelings)
    card.write_text(model_card(report), encoding="utf-8")
    return report


def fit(
    encoder: str, intents: Labelled, intent_vectors: Vectors, feelings: Labelled, feeling_vectors: Vectors
) -> Heads:
    """Heads from the sentences that are not held out. Sentences of feelings count as none of the intents."""
    wants, feels = intent_vectors[~intents.held], feeling_vectors[~feelings.held]
    known = np.vstack([wants, feels])
    mean = known.mean(axis=0)
    names = sorted(set(intents.labels) - {NONE})
    labels = np.concatenate([intents.labels[~intents.held], np.full(len(feels), NONE)])
    return Heads(
        encoder,
        mean,
        tuple(str(name) for name in names),
        *_softmax(centre(known, mean), labels, [*names, NONE]),
        *_softmax(centre(feels, mean), feelings.labels[~feelings.held], SENTIMENTS),
    )


def _softmax(vectors: Vectors, labels: Labels, order: Sequence[str]) -> tuple[Vectors, Vectors]:
    """Weights and bias of a multinomial logistic regression, its rows in this order."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=STRENGTH, max_iter=5000).fit(vectors, labels)
    rows = [list(found.classes_).index(name) for name in order]
    return found.coef_[rows].astype(np.float32), found.intercept_[rows].astype(np.float32)


def measure(
    heads: Heads, background: Vectors, encode: Encoder, intents: Labelled, feelings: Labelled, at_least: float = 0.6
) -> Report:
    """What heads and calibration do on sentences that were held out."""
    truth = intents.labels[intents.held]
    vectors = encode(_held(intents))
    scores = [meaning.intents for meaning in heads.measure(vectors)]
    best = np.array([max(s, key=lambda name: s[name]) if s else NONE for s in scores])
    found = np.array(
        [name if score.get(name, 0.0) >= at_least else NONE for name, score in zip(best, scores, strict=True)]
    )
    wanted = truth != NONE
    felt = [_feeling(meaning.sentiment) for meaning in heads.measure(encode(_held(feelings)))]
    return Report(
        encoder=heads.encoder,
        sentences=len(intents.sentences) + len(feelings.sentences),
        held_out=int(intents.held.sum() + feelings.held.sum()),
        intent_accuracy=float(np.mean((best == truth)[wanted])),
        at_least=at_least,
        intents=tuple(
            IntentFigures(
                name,
                examples=int(np.sum(intents.labels == name)),
                recall=_share(found[truth == name] == name),
                precision=_share(truth[found == name] == name),
            )
            for name in heads.intents
        ),
        none_found=_share(found[~wanted] != NONE),
        sentiment_accuracy=float(np.mean(np.array(felt) == feelings.labels[feelings.held])),
        similar=tuple(_similar(heads.intents, background, encode, intents)),
    )


def _similar(names: Sequence[str], background: Vectors, encode: Encoder, intents: Labelled) -> Iterable[SimilarFigures]:
    """Every intent once as the set of examples of a rule."""
    unrelated = encode(background_sentences(held_out=True))
    near, far = [], []
    for name in names:
        mine = intents.labels == name
        examples = [s for s, use in zip(intents.sentences, mine & ~intents.held, strict=True) if use]
        rule = calibrate(encode(examples[:EXAMPLES_OF_A_RULE]), background)
        near.append(
            rule.scores(encode([s for s, use in zip(intents.sentences, mine & intents.held, strict=True) if use]))
        )
        far.append(rule.scores(unrelated))
    for at_least in THRESHOLDS:
        alarms = [_share(scores >= at_least) for scores in far]
        found = float(np.mean([_share(scores >= at_least) for scores in near]))
        yield SimilarFigures(at_least, found, float(np.mean(alarms)), max(alarms))


def remembering(encode: Encoder) -> Encoder:
    """An encoder that encodes no sentence twice."""
    known: dict[str, Vectors] = {}

    def remembered(sentences: Sequence[str]) -> Vectors:
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in known]
        known.update(zip(new, encode(new) if new else [], strict=True))
        return np.stack([known[sentence] for sentence in sentences])

    return remembered


def _held(data: Labelled) -> list[str]:
    return [sentence for sentence, held in zip(data.sentences, data.held, strict=True) if held]


def _feeling(sentiment: float) -> str:
    return "positive" if sentiment > FEELING else "negative" if sentiment < -FEELING else "neutral"


def _share(hits: NDArray[np.bool_]) -> float:
    """Share of true values; 1 of none, since nothing was wrong."""
    return float(np.mean(hits)) if len(hits) else 1.0


def model_card(report: Report) -> str:
    """The model card in Markdown."""
    intents = "\n".join(
        f"| `{each.name}` | {each.examples} | {each.recall:.0%} | {each.precision:.0%} |" for each in report.intents
    )
    similar = "\n".join(
        f"| {each.at_least} | {each.recall:.0%} | {each.false_alarms:.1%} | {each.most_false_alarms:.1%} |"
        for each in report.similar
    )
    return f"""# Meaning of utterances: model card

Generated by `tingjian model train-meaning`; figures are of sentences held out of training, as they are written, without
the errors of a speech model.

**What it is.** Linear heads on the sentence vectors of `{report.encoder}` (multilingual-e5-small, 4 bits, 384
dimensions): {len(report.intents)} intents of consumer finance with "none of them" as one more class, and sentiment from
-1 to 1. Trained on {report.sentences - report.held_out} labelled Mandarin sentences of `processors/tuning/data`
({report.held_out} more held out), written for this project.

**What it is for.** The operators `intent` and `similar`, and the valence of emotions. A score is evidence among other
evidence: a rule that punishes somebody should not stand on it alone.

**What it is not.** It does not know what was said before the utterance. Sentences of other trades than consumer finance
are none of the intents at best. Whoever has labelled utterances of their own should train heads on them with the same
command.

## Intents

The best intent is the right one for {report.intent_accuracy:.0%} of the held-out sentences. At a score of
{report.at_least} (the default of `intent`), {report.none_found:.0%} of the sentences that are none of them are taken
for one.

| intent | examples | found | findings right |
|---|---|---|---|
{intents}

## Sentiment

Negative, neutral or positive is right for {report.sentiment_accuracy:.0%}.

## Nearness (`similar`)

{EXAMPLES_OF_A_RULE} sentences of each intent as the examples of a rule; found are held-out sentences of the same
intent, mostly worded quite differently; false alarms are held-out background sentences (some do mean the same).

| at_least | found | false alarms, mean | of the worst rule |
|---|---|---|---|
{similar}

More examples find more at the same rate of false alarms.
"""
