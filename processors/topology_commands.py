"""`tingjian topology check|draw|apply`: the map on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, help="The map of topics and processors: check it, draw it, make it so.")

File = Annotated[Path | None, typer.Argument(help="A map; without it the one of this installation.")]


@app.command()
def check(path: File = None) -> None:
    """Say what is wrong with the map, line by line: 0 when nothing is, 1 otherwise."""
    from processors.runtime.errors import UserError
    from processors.topology import FILE, load
    from processors.topology_check import check_file

    file = path or FILE
    try:
        problems = check_file(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} can not be read: {error}; give the path of a topology.yaml", 2) from None
    for problem in problems:
        typer.echo(str(problem))
    if problems:
        raise typer.Exit(1)
    topology = load(file)
    typer.echo(f"{file.name}: {len(topology.topics)} topics and {len(topology.processors)} processors, all right")


@app.command()
def draw(
    path: File = None,
    form: Annotated[
        Literal["text", "mermaid"], typer.Option("--as", help="For the terminal, or for Markdown.")
    ] = "text",
) -> None:
    """Print the picture of the map."""
    from processors.topology import FILE, load
    from processors.topology_draw import mermaid, text

    topology = load(path or FILE)
    typer.echo(mermaid(topology) if form == "mermaid" else text(topology), nl=False)


@app.command()
def apply(
    path: File = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    repartition: Annotated[
        bool, typer.Option(help="Add partitions where the map has more; no call may be open.")
    ] = False,
) -> None:
    """Create and configure the topics; safe to repeat. 1 when a difference is left that you must decide on."""
    from processors.runtime.settings import load_settings
    from processors.runtime.topics import apply_topics
    from processors.topology import FILE, load

    changes = apply_topics(load(path or FILE), load_settings(), dry_run=dry_run, repartition=repartition)
    for change in changes:
        typer.echo(str(change))
    if not changes:
        typer.echo("all topics are as the map says")
    if any(change.what == "differs" for change in changes):
        raise typer.Exit(1)
