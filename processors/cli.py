"""The command `tingjian`: names, options and exit codes. What a command does is in `processors.commands`.

Nothing heavy is imported here, so that `--help` answers at once. A UserError becomes one line on stderr; anything
else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from processors.inspect.commands import app as rules_app
from processors.runtime.errors import Unavailable, UserError
from processors.topology_commands import app as topology_app
from processors.tuning.commands import app as model_app

INTERRUPTED = 130

app = typer.Typer(
    name="tingjian",
    help="Tingjian listens to every call of a call centre, finds what breaks the rules, and keeps the proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dlq_app = typer.Typer(no_args_is_help=True, help="Records that could not be processed: look at them, send them again.")
app.add_typer(rules_app, name="rules")
app.add_typer(model_app, name="model")
app.add_typer(topology_app, name="topology")
app.add_typer(dlq_app, name="dlq")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of a table.")]
Since = Annotated[str, typer.Option(help="Only what was spoken within this time: 30m, 24h, 7d.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many rows, the newest first.")]


@app.command()
def doctor(
    fetch: Annotated[bool, typer.Option(help="Fetch Kafka's jars, then check the installation only.")] = False,
) -> None:
    """Check everything the demo needs; say what to do about what is missing."""
    from processors.commands.doctor import doctor

    raise typer.Exit(doctor(fetch=fetch))


@app.command()
def demo(
    speed: Annotated[Literal["real"], typer.Option(hidden=True)] = "real",
    keep: Annotated[bool, typer.Option(help="Go on running after the last call, until Ctrl-C.")] = False,
) -> None:
    """Start everything on this machine, play six calls in real time, show violations while they are spoken."""
    from processors.commands.demo import demo

    raise typer.Exit(demo(keep=keep))


@app.command()
def up(
    ephemeral: Annotated[bool, typer.Option(help="Keep nothing: a temporary home, removed at the end.")] = False,
) -> None:
    """Start Kafka and every processor on this machine, and watch them until Ctrl-C."""
    from processors.commands.stack import up

    up(ephemeral)


@app.command()
def run(
    processor: Annotated[str, typer.Argument(help="ingest, speech, inspect or sink, as in topology.yaml.")],
    lane: Annotated[str, typer.Option(help="Of speech: live or recordings.")] = "",
) -> None:
    """Run one processor in the foreground, as a container does."""
    from processors.runtime.run import run_processor
    from processors.runtime.settings import load_settings

    run_processor(processor, load_settings(), lane)


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder of WAV files, one WAV file, or a manifest CSV.")],
    rules: Annotated[Path | None, typer.Option(help="Folder of rules; without it the published rule book.")] = None,
    speed: Annotated[Literal["max", "real"], typer.Option(help="As fast as possible, or as it was spoken.")] = "max",
    json: Annotated[Path | None, typer.Option(help="Write transcripts, violations and scores to this file.")] = None,
) -> None:
    """Inspect recordings: 0 when all calls were inspected, 3 when some could not be, 2 for bad usage."""
    from processors.commands.inspect import inspect

    raise typer.Exit(inspect(path, rules=rules, speed=speed, out=json))


@app.command()
def calls(
    since: Since = "",
    call: Annotated[str, typer.Option(help="Only this call, with its transcript.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List inspected calls, or show one with its transcript and violations."""
    from processors.commands.tables import show_call, show_calls

    if call:
        show_call(call, as_json=as_json)
    else:
        show_calls(since=since, limit=limit, as_json=as_json)


@app.command()
def violations(
    since: Since = "",
    rule: Annotated[str, typer.Option(help="Only this rule.")] = "",
    call: Annotated[str, typer.Option(help="Only this call.")] = "",
    agent: Annotated[str, typer.Option(help="Only this agent.")] = "",
    state: Annotated[
        Literal["confirmed", "provisional", "retracted", "all"], typer.Option(help="State of the violation.")
    ] = "confirmed",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List violations with rule, quote and time in the call."""
    from processors.commands.tables import show_violations

    show_violations(since=since, rule=rule, call=call, agent=agent, state=state, limit=limit, as_json=as_json)


@app.command()
def migrate() -> None:
    """Create or update the ClickHouse tables; safe to repeat."""
    from processors.commands.stack import migrate

    migrate()


@app.command()
def play(
    path: Annotated[Path, typer.Argument(help="A WAV file, a folder of them, or a manifest CSV.")],
    url: Annotated[str, typer.Option(help="Address of the WebSocket door; empty: that of the running stack.")] = "",
) -> None:
    """Stream recordings through a live door in real time, as a phone system does."""
    from processors.commands.stack import play

    play(path, url=url)


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def bench(
    name: Annotated[str, typer.Argument(help="Which one; empty: list them all.")] = "",
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on; --help says what there is.")] = None,
) -> None:
    """Measure speed and accuracy on this machine, each figure beside what it is compared with."""
    from processors.commands.bench import bench

    raise typer.Exit(bench(name, arguments or []))


@dlq_app.command("list")
def dlq_list() -> None:
    """Count the dead letters of each topic."""
    from processors.commands.dead_letters import list_letters

    list_letters()


@dlq_app.command("show")
def dlq_show(
    topic: Annotated[str, typer.Argument(help="Topic whose dead letters to show, for example calls.timeline.")],
    limit: Limit = 20,
) -> None:
    """Show dead letters: where they come from, and what is wrong with them."""
    from processors.commands.dead_letters import show_letters

    show_letters(topic, limit=limit)


@dlq_app.command("replay")
def dlq_replay(
    topic: Annotated[str, typer.Argument(help="Topic whose dead letters to send again.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 10_000,
) -> None:
    """Send dead letters to their topic again, with their original key and bytes."""
    from processors.commands.dead_letters import replay_letters

    replay_letters(topic, limit=limit)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except UserError as error:
        _fail(str(error), error.exit_code)
    except Unavailable as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left: nothing to say to nobody
        sys.exit(1)


def _fail(message: str, exit_code: int) -> None:
    print(f"tingjian: {message}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
