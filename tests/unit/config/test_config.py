"""Settings: where they come from, what is derived, and what is said when they are wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fhir_server.config import InvalidSettings, is_loopback, load_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT", "STORE", "DATA", "OPEN", "BASE_URL", "WORKERS"):
        monkeypatch.delenv(f"FHIR_SERVER_{name}", raising=False)


def test_nothing_need_be_set() -> None:
    settings = load_settings()

    assert settings.fhir_base == "http://127.0.0.1:8000/fhir"
    assert settings.store_url == "sqlite:data/fhir.db"
    assert settings.max_body == 32 * 1024 * 1024
    assert settings.time_zone is UTC
    assert settings.open is False


def test_an_argument_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "FHIR_SERVER_PORT=1\nFHIR_SERVER_WORKERS=1\nFHIR_SERVER_HOST=::1\n"
    )
    monkeypatch.setenv("FHIR_SERVER_PORT", "2")
    monkeypatch.setenv("FHIR_SERVER_WORKERS", "2")

    settings = load_settings(port=3, store=None)

    assert (settings.port, settings.workers, settings.host) == (3, 2, "::1")


def test_other_variables_of_the_file_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOMETHING_ELSE=1\n")

    assert load_settings().port == 8000


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({"port": 81}, "http://127.0.0.1:81/fhir"),
        ({"host": "::1"}, "http://[::1]:8000/fhir"),
        ({"base_url": "https://a.example"}, "https://a.example/fhir"),
        ({"base_url": "https://a.example/health/"}, "https://a.example/health/fhir"),
        ({"host": "0.0.0.0", "base_url": "https://a.example"}, "https://a.example/fhir"),
    ],
)
def test_links_are_made_from_the_base_url(given: dict[str, object], base: str) -> None:
    assert load_settings(**given).fhir_base == base


def test_the_default_store_lies_in_the_data_folder() -> None:
    assert load_settings(data="/srv/x").store_url == "sqlite:/srv/x/fhir.db"
    assert load_settings(data="/srv/x", store="mongodb://db").store_url == "mongodb://db"


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({}, "data/fhir.db-blobs"),
        ({"data": "/srv/x"}, "/srv/x/fhir.db-blobs"),
        ({"store": "sqlite:/fast/our.db"}, "/fast/our.db-blobs"),
        ({"store": "sqlite:/fast/our.db", "data": "/large"}, "/large/our.db-blobs"),
        ({"store": "mongodb://db"}, None),
        ({"store": "mongodb://db", "data": "/large"}, None),
    ],
)
def test_content_lies_beside_its_store_or_in_the_data_folder_that_is_set(
    given: dict[str, object], folder: str | None
) -> None:
    assert load_settings(**given).blobs == (Path(folder) if folder else None)


def test_the_data_folder_may_be_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIR_SERVER_DATA", "/large")

    assert load_settings(store="sqlite:/fast/our.db").blobs == Path("/large/our.db-blobs")


def test_sizes_may_have_units() -> None:
    assert load_settings(max_body="2 MiB").max_body == 2 * 1024 * 1024


def test_a_zone_is_a_zone() -> None:
    zone = load_settings(zone="Europe/Berlin").time_zone

    assert datetime(2020, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"port": "x"},
            (
                "FHIR_SERVER_PORT is 'x': input should be a valid integer,"
                " unable to parse string as an integer."
            ),
        ),
        ({"port": 0}, "FHIR_SERVER_PORT is 0: input should be greater than or equal to 1."),
        (
            {"zone": "Mars/Base"},
            "FHIR_SERVER_ZONE is 'Mars/Base': not the name of a time zone, such as Europe/Berlin.",
        ),
        (
            {"base_url": "https://a.example/fhir"},
            (
                "FHIR_SERVER_BASE_URL is 'https://a.example/fhir':"
                " leave /fhir off: it is added, as other pages lie beside it."
            ),
        ),
        (
            {"base_url": "a.example"},
            (
                "FHIR_SERVER_BASE_URL is 'a.example':"
                " a base URL begins with http:// or https:// and a host name."
            ),
        ),
        (
            {"base_url": "https://joe:x@a.example"},
            (
                "FHIR_SERVER_BASE_URL is 'https://joe:x@a.example':"
                " a base URL has no query, no fragment and no user."
            ),
        ),
        (
            {"store": "mysql://joe:secret@db"},
            "FHIR_SERVER_STORE is wrong: a store is sqlite:PATH, mongodb://… or mongodb+srv://….",
        ),
        (
            {"store": "sqlite:"},
            "FHIR_SERVER_STORE is wrong: sqlite: needs the path of a file behind it.",
        ),
        (
            {"open": True, "host": "10.0.0.1"},
            (
                "There is no sign-in with --open, so it listens on a loopback address only,"
                " such as 127.0.0.1, and not on 10.0.0.1."
            ),
        ),
        (
            {"host": "0.0.0.0"},
            (
                "FHIR_SERVER_BASE_URL must be set when FHIR_SERVER_HOST is 0.0.0.0:"
                " links need the address that clients use."
            ),
        ),
        (
            {"page_size": 2000},
            "FHIR_SERVER_PAGE_SIZE is larger than FHIR_SERVER_MAX_PAGE_SIZE.",
        ),
        (
            {"drain_delay": 6},
            (
                "FHIR_SERVER_DRAIN_DELAY and FHIR_SERVER_DRAIN_TIMEOUT are 31 s together:"
                " the server ends within 30 s of the signal to stop, so shorten one of them."
            ),
        ),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        load_settings(**given)

    assert str(raised.value) == sentence
    assert raised.value.__suppress_context__


def test_every_wrong_setting_is_told() -> None:
    with pytest.raises(InvalidSettings) as raised:
        load_settings(port="x", workers=0)

    assert len(str(raised.value).splitlines()) == 2


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_reached_from_this_machine_only(host: str, loopback: bool) -> None:  # noqa: FBT001 -- a case
    assert is_loopback(host) is loopback
