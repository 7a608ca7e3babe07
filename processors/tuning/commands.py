"""`tingjian model`: train, evaluate and describe the shipped speech model. Neural libraries load inside the commands only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The speech model: what is shipped, how good it is, how to train another.")


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: its checkpoint, its result. The same command goes on.")],
    hours: Annotated[
        float, typer.Option(help="Budget of the whole run; the learning rate reaches zero at its end.")
    ] = 6.0,
    start: Annotated[
        Path | None, typer.Option(help="A checkpoint of this recipe to go on from instead of nothing.")
    ] = None,
    system_share: Annotated[
        float, typer.Option(help="Share of speech by the machine's own espeak-ng, the rest by the bundled one.")
    ] = 0.5,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 8e-4,
    threads: Annotated[int, typer.Option(help="Threads of the training process.")] = 2,
) -> None:
    """Train a Mandarin telephone model on synthetic speech; can be killed at any time and goes on by the same command."""
    from processors.tuning.job import Plan, train
    from processors.tuning.sounds import Mixture

    plan = Plan(hours=hours, peak_rate=peak_rate, threads=threads)
    result = train(out, plan, Mixture(system_share=system_share), start)
    typer.echo(f"finished: {result}")


@app.command()
def info(
    model: Annotated[Path, typer.Argument(help="A .nemo file.")] = Path(__file__).parents[1]
    / "speech/checkpoints/mandarin-telephone.nemo",
) -> None:
    """Print what a checkpoint is: its network, its characters, its size and checksum."""
    from processors.tuning.describe import describe

    for name, value in describe(model).items():
        typer.echo(f"{name:20} {value}")
