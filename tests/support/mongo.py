"""A MongoDB for tests: the one that is named, else the wire server, else a skip that says why.

`FHIR_SERVER_TEST_MONGODB_URL` names a real server (standalone, replica set or sharded). Without it,
mongo-java-server speaks the protocol from a child process: prepared once into `.cache/` by Maven,
one per test session, in memory. It ends when this process does, however that ends: it reads a pipe.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

import pytest
from pymongo import MongoClient

from fhir_server.kit.clock import SystemClock
from fhir_server.kit.ids import TimeOrderedIds

_CHECKOUT = Path(__file__).resolve().parents[2]
_SOURCES = Path(__file__).parent / "mongo_server"
_LIBRARIES = _CHECKOUT / ".cache" / "mongo-java-server"
_ids = TimeOrderedIds(SystemClock())
_PREFIX = f"test_{os.getpid()}_"


def mongo_url() -> str:
    """Where a MongoDB listens; skips the test if none can be had, fails it in CI."""
    named = os.environ.get("FHIR_SERVER_TEST_MONGODB_URL")
    if named:
        _clear_later(named)
    return named or _wire_server()


def new_address() -> str:
    """The address of a database that nobody has used."""
    return _with_new_database(mongo_url())


def new_wire_address() -> str:
    """The same on the wire server, for what is played over it."""
    return _with_new_database(_wire_server())


def _with_new_database(server: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{_PREFIX}{_ids.new_id()}"))


@cache
def _clear_later(url: str) -> None:
    """Drop, when the session ends, what it made on a server that goes on."""
    atexit.register(_clear, url)


def _clear(url: str) -> None:
    with MongoClient[dict[str, Any]](url) as client:
        for name in client.list_database_names():
            if name.startswith(_PREFIX):
                client.drop_database(name)


@cache
def _wire_server() -> str:
    _prepare()
    process = subprocess.Popen(
        [
            _tool("java"),
            "-Xmx1g",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
            "-cp",
            f"{_LIBRARIES}/*",
            str(_SOURCES / "Launcher.java"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(_end, process)
    port = _first_line(process.stdout)
    if not port:
        pytest.fail("the MongoDB wire server did not start")
    return f"mongodb://127.0.0.1:{port}/"


def _prepare() -> None:
    """Fetch the wire server once, also when several test processes begin together."""
    _LIBRARIES.mkdir(parents=True, exist_ok=True)
    with (_LIBRARIES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _fetch()


def _fetch() -> None:
    if any(_LIBRARIES.glob("mongo-java-server-core-*.jar")):
        return
    prepared = subprocess.run(
        [
            _tool("mvn"),
            "-q",
            "-B",
            "-f",
            str(_SOURCES / "pom.xml"),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={_LIBRARIES}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if prepared.returncode:
        _missing(f"mongo-java-server, which Maven could not fetch: {prepared.stdout[-500:]}")


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        _missing(f"{name}, or FHIR_SERVER_TEST_MONGODB_URL")
    return path


def _missing(what: str) -> NoReturn:
    message = f"no MongoDB to test with: missing {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _first_line(stream: IO[bytes] | None) -> str:
    return stream.readline().decode().strip() if stream else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
