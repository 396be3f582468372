"""Nothing of a patient reaches a log."""

import traceback

import pytest

from fhir_server.observability import redaction


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ([], ""),
        ([("name", "Smith"), ("birthdate", "1970-01-01")], "name&birthdate"),
        ([("subject:Patient.name:exact", "Smith")], "subject:Patient.name:exact"),
        ([("_has:Observation:patient:code", "1")], "_has:Observation:patient:code"),
        ([("John Smith", "")], "?"),
        ([("name=Smith\n", "")], "?"),
        ([("a" * 65, "")], "?"),
        ([("_id", str(n)) for n in range(30)], "&".join(["_id"] * 20)),
    ],
)
def test_of_a_query_only_names_are_shown(query: list[tuple[str, str]], shown: str) -> None:
    assert redaction.parameter_names(query) == shown


def test_an_exception_is_shown_without_its_words() -> None:
    lines = redaction.exception_lines(_chained())

    text = "\n".join(lines)
    assert "Smith" not in text
    assert [line for line in lines if " " not in line] == ["KeyError", "ValueError"]
    assert any(line.endswith(" _chained") and "test_redaction.py:" in line for line in lines)


def test_a_traceback_that_became_text_is_shown_without_its_words() -> None:
    error = _chained()
    error.add_note("Smith: a note")
    text = "".join(traceback.format_exception(error))

    lines = redaction.traceback_lines(text)

    assert "Smith" in text
    assert "Smith" not in "\n".join(lines)
    assert [line for line in lines if " " not in line] == ["KeyError", "ValueError"]
    assert any(line.endswith(" _chained") for line in lines)


def test_the_operating_system_may_speak() -> None:
    try:
        raise FileNotFoundError(2, "No such file or directory", "Smith.json")
    except FileNotFoundError as error:
        lines = redaction.exception_lines(error)

    assert lines[0] == "FileNotFoundError: No such file or directory"


def test_a_ring_of_causes_ends() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first

    assert redaction.exception_lines(first) == ["ValueError", "ValueError"]


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", True),
        ("4bf92f3577b34da6", True),
        ("1234567", False),
        ("Smith, John: 1970-01-01", False),
        ("a" * 65, False),
        ("4bf92f3577b34da6\n", False),
        ("", False),
    ],
)
def test_a_request_id_must_look_like_one(given: str, accepted: bool) -> None:  # noqa: FBT001 -- a case
    assert redaction.is_request_id(given) is accepted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:data/fhir.db", "sqlite:data/fhir.db"),
        ("sqlite:/data/fhir.db", "sqlite:/data/fhir.db"),
        ("mongodb://db/fhir", "mongodb://db/fhir"),
        ("mongodb://joe@db/fhir", "mongodb://joe@db/fhir"),
        ("mongodb://joe:s%40c@a:1,b:2/fhir?tls=true", "mongodb://joe:***@a:1,b:2/fhir?tls=true"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert redaction.url_without_password(url) == shown


def _chained() -> BaseException:
    try:
        try:
            raise KeyError("Smith")
        except KeyError as error:
            raise ValueError("Smith") from error
    except ValueError as error:
        return error
    return AssertionError()
