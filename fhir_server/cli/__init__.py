"""The command line: `fhir-server serve`, `load`, `doctor` and `version`.

Each command imports what it needs when it is called, so that asking for the version or for
help takes no longer than starting Python.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fhir_server import __version__
from fhir_server.cli.refusal import Refusal

app = typer.Typer(
    name="fhir-server",
    help="A FHIR R4 health data server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="TCP port to listen on.")]
Store = Annotated[str | None, typer.Option(help="sqlite:PATH, mongodb://… or mongodb+srv://…")]
Workers = Annotated[int | None, typer.Option(help="Server processes that share the port.")]
Open = Annotated[bool, typer.Option("--open", help="No sign-in; reached from this machine only.")]
Paths = Annotated[list[Path], typer.Argument(help="Files and folders.", exists=True)]
Server = Annotated[str | None, typer.Option(help="Load over HTTP into this FHIR base URL.")]


@app.command()
def serve(
    *,
    host: Host = None,
    port: Port = None,
    store: Store = None,
    workers: Workers = None,
    open_: Open = False,
) -> None:
    """Run the server until it is told to stop."""
    from fhir_server.cli.serving import run

    run(host=host, port=port, store=store, workers=workers, open=open_ or None)


@app.command()
def load(paths: Paths, *, server: Server = None, store: Store = None) -> None:
    """Load bundles and resources from JSON and NDJSON files, gzipped or not."""
    from fhir_server.cli.loading import run

    raise typer.Exit(run(paths, server=server, store=store))


@app.command()
def doctor(*, host: Host = None, port: Port = None, store: Store = None) -> None:
    """Check settings, store, definitions and folders, and say what to do about each."""
    from fhir_server.cli.checkup import run

    raise typer.Exit(run(host=host, port=port, store=store))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """The entry point of the command `fhir-server`."""
    try:
        app()
    except Refusal as refusal:
        typer.echo(f"fhir-server: {refusal}", err=True)
        sys.exit(2)
