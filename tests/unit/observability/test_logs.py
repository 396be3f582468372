"""Logs: one JSON object a line on standard error, with the request they belong to."""

import asyncio
import json
import logging
import os
import traceback
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from fhir_server.observability import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    token = logs.request_id.set("")
    yield
    logs.request_id.reset(token)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.readouterr().err.splitlines()]


def test_an_event_is_a_line_with_time_level_and_request(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    logs.request_id.set("4bf92f3577b34da6")

    structlog.get_logger().info("store opened", kind="SQLite")

    [line] = _lines(capfd)
    datetime.fromisoformat(line.pop("time"))
    assert line == {
        "event": "store opened",
        "kind": "SQLite",
        "level": "info",
        "request": "4bf92f3577b34da6",
    }


def test_what_lies_below_the_level_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "json")

    structlog.get_logger().info("no")
    logging.getLogger("library").info("no")
    structlog.get_logger().warning("yes")
    logging.getLogger("library").warning("yes, %s", "too")

    assert [line["event"] for line in _lines(capfd)] == ["yes", "yes, too"]


@pytest.mark.parametrize("library", ["pymongo", "pymongo.command", "httpx", "asyncio"])
def test_libraries_that_quote_content_are_quiet(
    library: str, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("debug", "json")

    logging.getLogger(library).info('{"family": "Smith"}')

    assert _lines(capfd) == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_logged_without_its_words(
    form: logs.Format, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", form)

    try:
        raise ValueError("Smith")
    except ValueError as error:
        structlog.get_logger().exception("failed")
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
        logging.getLogger("library").error(traceback.format_exc())  # noqa: TRY400 -- as uvicorn does

    written = capfd.readouterr().err
    assert written.count("ValueError") == 4
    assert "Smith" not in written


@pytest.mark.anyio
async def test_a_request_is_a_line_without_path_and_values(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.request_id.set("4bf92f3577b34da6")

    log = logs.RequestLog("json")
    log.record("GET", "search-type", "Patient", 200, 0.00123, 512, "name")
    log.flush()

    [line] = _lines(capfd)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "request": "4bf92f3577b34da6",
        "method": "GET",
        "interaction": "search-type",
        "type": "Patient",
        "status": 200,
        "milliseconds": 1.23,
        "sent": 512,
        "parameters": "name",
    } | {"event": "request", "level": "info"}


@pytest.mark.anyio
async def test_lines_of_requests_leave_together_and_soon(capfd: pytest.CaptureFixture[str]) -> None:
    log = logs.RequestLog("json")
    for status in (200, 404):
        log.record("GET", "read", "Patient", status, 0.001, 1)
    assert capfd.readouterr().err == ""

    await asyncio.sleep(0.2)

    assert [line["status"] for line in _lines(capfd)] == [200, 404]


@pytest.mark.anyio
async def test_many_lines_do_not_wait(capfd: pytest.CaptureFixture[str]) -> None:
    log = logs.RequestLog("json")
    for _ in range(300):
        log.record("GET", "read", "Patient", 200, 0.001, 1)

    assert len(_lines(capfd)) == 256
    log.flush()
    assert len(_lines(capfd)) == 44


@pytest.mark.anyio
async def test_a_request_is_text_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    log = logs.RequestLog("console")
    log.record("GET", "", "", 404, 0.5, 0)
    log.flush()

    assert capfd.readouterr().err.rstrip("\n").endswith(" 404   500.00 ms  GET -")


def test_a_log_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _data: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", refuse)
    out = logs.StandardError()

    out.write(b"line")

    assert out.lost == 1


def test_lines_are_json_unless_somebody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert [logs.wants_json(form) for form in ("json", "console", "auto")] == [True, False, False]

    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert [logs.wants_json(form) for form in ("json", "console", "auto")] == [True, False, True]
