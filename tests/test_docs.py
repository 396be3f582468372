"""Documentation that can fail: every setting, command, script and metric is described."""

import re
from pathlib import Path

import pytest
from pydantic import ByteSize
from typer.main import get_command

from fhir_server.cli import app
from fhir_server.config import Settings, variable
from fhir_server.observability.metrics import Metrics

CHECKOUT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((CHECKOUT / "scripts").iterdir())
DOCUMENTS = ["README.md", *sorted(f"docs/{page.name}" for page in (CHECKOUT / "docs").iterdir())]
COMMANDS = sorted(getattr(get_command(app), "commands"))  # noqa: B009 -- a group has them, its type does not say so


def _text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def _default(value: object) -> str:
    match value:
        case "":
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case ByteSize():
            return f"`{value.human_readable().replace('.0', ' ')}`"
    return f"`{value}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_documented_with_its_default_and_sentence(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description

    row = f"| `{variable(name)}` | {_default(field.default)} | {field.description} |"

    assert row in _text("docs/settings.md").splitlines()


def test_no_setting_is_documented_that_is_none() -> None:
    documented = re.findall(r"^\| `(FHIR_SERVER_[A-Z_]+)`", _text("docs/settings.md"), re.MULTILINE)

    assert documented == [variable(name) for name in Settings.model_fields]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_documented(command: str) -> None:
    assert f"`fhir-server {command}" in _text("docs/operating.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_commands_and_scripts_that_exist(document: str) -> None:
    text = _text(document)

    assert set(re.findall(r"fhir-server (serve|load|doctor|version|[a-z]+(?=`))", text)) <= set(
        COMMANDS
    )
    named = set(re.findall(r"scripts/([a-z-]+)", text))
    assert named <= {script.name for script in SCRIPTS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_within_the_project_lead_somewhere(document: str) -> None:
    folder = (CHECKOUT / document).parent
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", _text(document))

    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_can_be_run_and_says_what_it_does(script: Path) -> None:
    first, second = script.read_text(encoding="utf-8").splitlines()[:2]

    assert first.startswith("#!/")
    assert re.match(r"# [A-Z].*", second) or second.startswith('"""')
    assert script.stat().st_mode & 0o111


def test_every_metric_is_documented() -> None:
    names = re.findall(r"^# HELP (fhir_\w+?)(?:_total)? ", Metrics().text().decode(), re.MULTILINE)

    assert names
    assert [name for name in names if f"`{name}" not in _text("docs/operating.md")] == []


def test_constraints_pin_exact_versions_and_name_no_index() -> None:
    lines = [line for line in _text("constraints.txt").splitlines() if not line.startswith("#")]

    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^ ;/]+", line)] == []


def test_every_dependency_is_pinned() -> None:
    pinned = {_normal(line.split("==")[0]) for line in _text("constraints.txt").splitlines()}
    dependency = r'^  "([A-Za-z0-9._-]+)(?:\[.*\])?(?:;.*)?"'
    asked = re.findall(dependency, _text("pyproject.toml"), re.MULTILINE)

    assert "fastapi" in asked
    assert [name for name in asked if _normal(name) not in pinned and name.islower()] == []


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
