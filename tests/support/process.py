"""The command line as a process of its own, on a port of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

PATIENCE = 60
"""Seconds for what should take one: the machine may be busy."""


@dataclass(frozen=True)
class Served:
    """A server process that is ready."""

    process: subprocess.Popen[bytes]
    url: str
    """Without a slash and without `/fhir`."""
    log: Path
    """What it wrote, to standard output and standard error."""

    @property
    def base(self) -> str:
        return f"{self.url}/fhir"

    def stop(self) -> int:
        """Send SIGTERM and wait; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


def command(
    *arguments: str | Path, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """`fhir-server` run to its end, in a folder, with settings."""
    return subprocess.run(
        _line(arguments),
        cwd=folder,
        env=_environment(folder, settings),
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )


@contextmanager
def serving(folder: Path, *arguments: str, **settings: str) -> Iterator[Served]:
    """`fhir-server serve --open` in a folder until the block ends; ready when it begins."""
    url = f"http://127.0.0.1:{free_port()}"
    log = folder / "server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            _line(["serve", "--open", "--port", url.rpartition(":")[2], *arguments]),
            cwd=folder,
            env=_environment(folder, settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    served = Served(process, url, log)
    try:
        _wait_until_ready(served)
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                served.kill()


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(served: Served) -> None:
    end = monotonic() + PATIENCE
    while monotonic() < end:
        assert served.process.poll() is None, served.log.read_text()
        try:
            if httpx.get(f"{served.url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            sleep(0.02)
    raise AssertionError(served.log.read_text())


def _line(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "fhir_server", *map(str, arguments)]


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("FHIR_SERVER_")
    }
    ours = {f"FHIR_SERVER_{name.upper()}": value for name, value in settings.items()}
    return kept | {"FHIR_SERVER_DATA": str(folder / "data"), "COLUMNS": "200"} | ours
