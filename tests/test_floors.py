"""The architecture, read from the imports: floors, laws, and how long things may be.

The floors are those of `fhir_server/__init__.py`: a package imports only from below, and
neighbours on a floor ignore each other.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fhir_server.storage.base import Store

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "fhir_server"

FLOORS = (
    ("__main__",),
    ("cli",),
    ("app",),
    ("system",),
    ("config",),
    ("api",),
    ("interactions",),
    ("search", "validation"),
    ("terminology",),
    ("fhirpath",),
    ("definitions",),
    ("fhir", "storage"),
    ("errors", "observability"),
    ("kit",),
)
"""The highest first."""

LONGEST_FILE = 400
LONGEST_FUNCTION = 25
"""Lines of the body, without the docstring."""

LONG_FUNCTIONS: dict[str, str] = {}
"""`file:function` to the reason why it may be longer."""

DRIVER_LAW = ({"pymongo", "bson", "gridfs"}, ("storage/mongo/",))
WEB_LAW = ({"fastapi", "starlette"}, ("api/", "web/", "app.py"))
STORE_LAW = (
    "interactions/repository.py",
    "interactions/reindexing.py",
    "interactions/custom/building.py",
    "interactions/custom/customs.py",
    "interactions/custom/learning.py",
    "system.py",
)
"""Reindexing and custom search parameters answer nobody: no caller's rights are in question."""

STORE_METHODS = {name for name in vars(Store) if not name.startswith("_")} - {"facts"}
STORE_MODULES = ("storage.opening", "storage.embedded", "storage.mongo")


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def _imports(file: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything a file imports; the name is empty for a whole module."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{_name(file)}:{node.lineno} imports relatively"
            yield from ((node.module or "", alias.name) for alias in node.names)


def _floor(part: str) -> int:
    return next((height for height, floor in enumerate(FLOORS) if part in floor), -1)


def _part(file: Path) -> str:
    return _name(file).split("/")[0].removesuffix(".py")


def _own_imports(file: Path) -> Iterator[str]:
    """Imported parts of the package, such as `storage.base`."""
    for module, name in _imports(file):
        if module == "fhir_server":
            yield name
        elif module.startswith("fhir_server."):
            yield module.removeprefix("fhir_server.")


FILES = sorted(PACKAGE.rglob("*.py"))
PARTS = [file for file in FILES if file.parent != PACKAGE or file.name != "__init__.py"]
each_file = pytest.mark.parametrize("file", FILES, ids=_name)
each_part = pytest.mark.parametrize("file", PARTS, ids=_name)


def test_every_part_has_a_floor() -> None:
    assert sorted({_part(file) for file in PARTS if _floor(_part(file)) < 0}) == []


@each_part
def test_imports_come_from_below(file: Path) -> None:
    here = _floor(_part(file))
    wrong = [
        imported
        for imported in _own_imports(file)
        if imported != "__version__"
        and (part := imported.split(".")[0]) != _part(file)
        and _floor(part) <= here
    ]
    assert wrong == []


@pytest.mark.parametrize(("libraries", "places"), [DRIVER_LAW, WEB_LAW], ids=["driver", "web"])
@each_file
def test_a_library_stays_in_its_place(
    file: Path, libraries: set[str], places: tuple[str, ...]
) -> None:
    name = _name(file)
    is_module_face = name.startswith("modules/") and name.endswith("/routes.py")
    if name.startswith(places) or (is_module_face and "fastapi" in libraries):
        return
    assert [module for module, _ in _imports(file) if module.split(".")[0] in libraries] == []


@each_file
def test_only_repository_and_system_touch_a_resource_store(file: Path) -> None:
    name = _name(file)
    if name.startswith("storage/") or name in STORE_LAW:
        return
    taken = [
        f"{module}.{what}"
        for module, what in _imports(file)
        if (module, what) == ("fhir_server.storage.base", "Store")
        or module.removeprefix("fhir_server.").startswith(STORE_MODULES)
    ]
    called = [
        f"line {node.lineno}: store.{node.attr}"
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Attribute)
        and node.attr in STORE_METHODS
        and _last_word(node.value) in {"store", "_store"}
    ]
    assert taken + called == []


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    "file",
    [*FILES, *sorted((CHECKOUT / "tests").rglob("*.py"))],
    ids=lambda file: str(file.relative_to(CHECKOUT)),
)
def test_no_file_is_too_long(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@each_file
def test_no_function_is_too_long(file: Path) -> None:
    long = {
        f"{_name(file)}:{node.name}": lines
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _body_lines(node)) > LONGEST_FUNCTION
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}


def test_every_exemption_is_needed_and_argued() -> None:
    for name, reason in LONG_FUNCTIONS.items():
        file, _, function = name.partition(":")
        nodes = [
            node
            for node in ast.walk(_tree(PACKAGE / file))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function
        ]
        assert any(_body_lines(node) > LONGEST_FUNCTION for node in nodes), name
        assert len(reason) > len("because"), name


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    assert node.end_lineno is not None
    return node.end_lineno - body[0].lineno + 1 if body else 0
