"""`fhir-server doctor`: what the server would meet if it started now, and what to do about it."""

import asyncio
import difflib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape

from fhir_server import __version__
from fhir_server.cli.arguments import settings_for
from fhir_server.config import PREFIX, Settings, variable
from fhir_server.definitions.registry import load_definitions
from fhir_server.interactions.custom.vocabulary import Vocabulary
from fhir_server.observability import logs, redaction
from fhir_server.storage.base import SCHEMA_VERSION, Facts, NewerSchema, StoreError
from fhir_server.system import open_system

State = Literal["ok", "warn", "fail"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_NOT_OURS = (f"{PREFIX}TEST_", f"{PREFIX}BENCH")
"""Variables of the tests and of the load harness, which are no settings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the checkup; `advice` says what to do unless all is well."""

    state: State
    what: str
    words: str
    advice: str = ""


def run(**given: object) -> int:
    """Print every finding; returns the exit code, 1 if the server would not start or work."""
    logs.configure("error")
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"FHIR server {__version__}")
    settings = settings_for(**given)
    failed = False
    for check in CHECKS:
        for finding in check(settings):
            failed = failed or finding.state == "fail"
            _show(console, finding)
    return int(failed)


def _show(console: Console, finding: Finding) -> None:
    state = f"[{_COLOURS[finding.state]}]{finding.state:4}[/]"
    console.print(f"{state} {finding.what}: {escape(finding.words)}")
    if finding.advice:
        console.print(f"     {escape(finding.advice)}")


def _settings(settings: Settings) -> Iterator[Finding]:
    changed = sorted(variable(name) for name in settings.model_fields_set)
    words = f"changed: {', '.join(changed)}" if changed else "all as by default"
    yield Finding("ok", "settings", words)
    known = {variable(name) for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(_NOT_OURS):
            near = difflib.get_close_matches(name, known, 1)
            advice = f"Did you mean {near[0]}?" if near else "See docs/settings.md."
            yield Finding("warn", "settings", f"{name} is no setting and does nothing", advice)
    if not settings.open:
        yield Finding(
            "warn",
            "access",
            "there is no access control yet",
            "The server starts only with --open: no sign-in, reached from this machine only.",
        )


def _definitions(_settings: Settings) -> Iterator[Finding]:
    try:
        load_definitions()
    except (OSError, ValueError) as error:
        advice = "Install the package again, or run scripts/pack-definitions in a checkout."
        yield Finding("fail", "definitions", f"cannot be read: {error}", advice)
    else:
        yield Finding("ok", "definitions", "FHIR R4 4.0.1 is there")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        words = f"{folder} cannot be written: {(error.strerror or str(error)).lower()}"
        advice = f"Give the user of the server write access, or set {variable('data')}."
        yield Finding("fail", "data folder", words, advice)
    else:
        words = f"{folder} " + ("can be written" if existing == folder else "will be made")
        yield Finding("ok", "data folder", words)


def _store(settings: Settings) -> Iterator[Finding]:
    url = redaction.url_without_password(settings.store_url)
    path = Path(settings.store_url.removeprefix("sqlite:"))
    if settings.store_url.startswith("sqlite:") and not path.exists():
        yield Finding("ok", "store", f"{url} will be made at the first start")
        return
    try:
        facts, parameters = asyncio.run(_facts(settings))
    except NewerSchema as error:
        advice = "Run the newer version of the server that wrote it; this one must not touch it."
        yield Finding("fail", "store", f"{url}: {error}", advice)
    except (StoreError, OSError) as error:
        advice = f"Start the database or correct {variable('store')}."
        yield Finding("fail", "store", f"{url} cannot be opened: {error}", advice)
    else:
        yield Finding("ok", "store", f"{url} is {facts.name}, schema version {SCHEMA_VERSION}")
        for warning in facts.warnings:
            yield Finding("warn", "store", warning, "See docs/operating.md, Stores.")
        yield from parameters


async def _facts(settings: Settings) -> tuple[Facts, list[Finding]]:
    async with open_system(settings, builds=False) as system:
        return system.storage.store.facts, list(_parameters(system.learner.vocabulary))


def _parameters(vocabulary: Vocabulary) -> Iterator[Finding]:
    """The custom search parameters, and how far each is built."""
    unbuilt = {each.incarnation for each in vocabulary.unbuilt}
    for each in vocabulary.customs.parameters:
        what = f"{each.code} of {', '.join(each.base)} (SearchParameter/{each.resource})"
        if each.incarnation not in unbuilt:
            yield Finding("ok", "search parameter", f"{what} is ready")
        else:
            percent = vocabulary.record.percent(each.incarnation)
            words = f"{what} is being built: {percent} % of the resources are indexed"
            advice = "It goes on while a server runs; searches say that matches may be missing."
            yield Finding("warn", "search parameter", words, advice)
    for id_, reason in vocabulary.customs.faults.items():
        words = f"SearchParameter/{id_} is active, but not used: {reason}"
        yield Finding("warn", "search parameter", words, "Correct it, or set it to retired.")


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host}, port {settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            words = f"{where} cannot be had: {(error.strerror or str(error)).lower()}"
            advice = "If the server is running, all is well; otherwise choose another with --port."
            yield Finding("warn", "address", words, advice)
        else:
            yield Finding("ok", "address", f"{where} is free; clients use {settings.fhir_base}")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _settings,
    _definitions,
    _data_folder,
    _store,
    _port,
)
