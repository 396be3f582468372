"""`fhir-server doctor`: a line for each thing looked at, and what to do about it."""

import sqlite3
from pathlib import Path

import pytest

from tests.support.process import command, serving


def test_before_the_first_start_all_is_well(tmp_path: Path) -> None:
    ended = command("doctor", folder=tmp_path)

    states = [line[:4].strip() for line in ended.stdout.splitlines() if line[:4].strip()]
    assert ended.returncode == 0
    assert set(states[1:]) <= {"ok", "warn"}
    assert "fhir.db will be made at the first start" in ended.stdout
    assert not (tmp_path / "data").exists()


def test_beside_a_server_it_finds_the_store_and_the_address_taken(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        ended = command("doctor", "--port", served.url.rpartition(":")[2], folder=tmp_path)

    assert ended.returncode == 0
    assert "is SQLite 3" in ended.stdout
    assert "cannot be had: address already in use" in ended.stdout


def test_a_store_of_a_newer_program_fails(tmp_path: Path) -> None:
    with serving(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "data" / "fhir.db") as connection:
        connection.execute("UPDATE meta SET value = 1000 WHERE name = 'schema'")
    connection.close()

    ended = command("doctor", folder=tmp_path)

    assert ended.returncode == 1
    assert "fail store" in ended.stdout
    assert "schema 1000" in ended.stdout


def test_a_file_that_is_no_store_fails(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to have a header" * 100)

    ended = command("doctor", "--store", "sqlite:notes.txt", folder=tmp_path)

    assert ended.returncode == 1
    assert "fail store" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_database_that_does_not_answer_fails_without_its_password(tmp_path: Path) -> None:
    store = "mongodb://joe:secret@127.0.0.1:1/fhir?serverSelectionTimeoutMS=200"

    ended = command("doctor", "--store", store, folder=tmp_path, request_deadline="0.5")

    assert ended.returncode == 1
    assert "fail store: mongodb://joe:***@127.0.0.1:1/fhir" in ended.stdout
    assert "secret" not in ended.stdout + ended.stderr


def test_a_variable_that_is_no_setting_is_told_with_its_nearest(tmp_path: Path) -> None:
    ended = command("doctor", folder=tmp_path, stoer="sqlite:x.db")

    assert ended.returncode == 0
    assert "warn settings: FHIR_SERVER_STOER is no setting and does nothing" in ended.stdout
    assert "Did you mean FHIR_SERVER_STORE?" in ended.stdout


def test_a_wrong_setting_is_told_in_a_sentence(tmp_path: Path) -> None:
    ended = command("doctor", folder=tmp_path, page_size="0")

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "FHIR_SERVER_PAGE_SIZE is '0'" in ended.stderr


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_a_data_folder_that_cannot_be_one_fails(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("")

    ended = command("doctor", folder=tmp_path, data=str(tmp_path / place))

    assert ended.returncode == 1
    assert "fail data folder" in ended.stdout
