"""`fhir-server serve`: the server under uvicorn, in one process or several.

Worker processes are fresh interpreters, so the command line reaches them by the environment.
The port is bound before anything else is done: that it is taken is then said in plain words.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Mapping

import uvicorn
from uvicorn.supervisors import Multiprocess

from fhir_server import __version__
from fhir_server.cli.arguments import settings_for
from fhir_server.cli.connection import Connection
from fhir_server.cli.refusal import Refusal
from fhir_server.config import OPEN_ONLY, Settings, variable
from fhir_server.observability import logs, redaction
from fhir_server.observability.metrics import SHARED_FOLDER

APPLICATION = "fhir_server.app:create_app"

_NO_SIGN_IN = """\
  +--------------------------------------------------------------------+
  |  NO SIGN-IN: whoever reaches this address may read and change      |
  |  every record. It is reached from this machine only.               |
  |  For development. Put no real patient's data here.                 |
  +--------------------------------------------------------------------+"""


def run(**given: object) -> None:
    """Serve until told to stop; Refusal when it cannot begin."""
    settings = settings_for(**given)
    if not settings.open:
        raise Refusal(OPEN_ONLY)
    _hand_to_workers(given)
    logs.configure(settings.log_level, settings.log_format)
    listener = _bind(settings.host, settings.port)
    print(_greeting(settings), flush=True)  # noqa: T201 -- what was asked for goes to stdout
    config = _uvicorn_config(settings)
    if settings.workers == 1:
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        sys.exit(0 if server.started else 1)
    with tempfile.TemporaryDirectory(prefix="fhir-server-") as folder:
        os.environ[SHARED_FOLDER] = folder
        Multiprocess(config, sockets=[listener]).run()


def _uvicorn_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        APPLICATION,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.drain_timeout,
    )


def _hand_to_workers(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if value is not None:
            os.environ[variable(name)] = str(value)


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Refusal(
            f"cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}."
            " Choose another with --port or --host."
        ) from None
    listener.set_inheritable(True)
    return listener


def _greeting(settings: Settings) -> str:
    store = redaction.url_without_password(settings.store_url)
    return f"FHIR server {__version__}: {settings.fhir_base}\nStore: {store}\n{_NO_SIGN_IN}"
