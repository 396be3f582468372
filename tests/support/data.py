"""Where the public data sets lie: `FHIR_SERVER_TEST_DATA`, or `../shared/data` beside us."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def data_folder(part: str = "") -> Path:
    """The folder (or file) of a data set; skips the test without it, fails it in CI."""
    path = Path(os.environ.get("FHIR_SERVER_TEST_DATA", _BESIDE)) / part
    if not path.exists():
        missing = f"no data set {part!r}: set FHIR_SERVER_TEST_DATA to the folder that has it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
