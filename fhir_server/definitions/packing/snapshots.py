"""From snapshots of StructureDefinitions to types and elements.

https://hl7.org/fhir/R4/elementdefinition.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_server.definitions.elements import Binding, Element
from fhir_server.definitions.types import Kind, Primitive, Type

_CORE = "http://hl7.org/fhir/StructureDefinition/"
_SYSTEM_TYPES = "http://hl7.org/fhirpath/System."
_FHIR_TYPE = f"{_CORE}structuredefinition-fhir-type"
_REGEX = f"{_CORE}regex"
_KINDS: Mapping[str, Kind] = {
    "resource": "resource",
    "complex-type": "complex-type",
    "primitive-type": "primitive-type",
}

Json = dict[str, Any]


def compile_types(structures: Iterable[Json]) -> dict[str, Type]:
    """All types by name, backbones among them."""
    by_name = {each["type"]: each for each in structures}
    types: dict[str, Type] = {}
    for name, structure in sorted(by_name.items()):
        base = structure.get("baseDefinition", "").removeprefix(_CORE) or None
        kind = _KINDS[structure["kind"]]
        primitive = _primitive(name, by_name) if kind == "primitive-type" else None
        types[name] = Type(name, kind, structure["abstract"], base, primitive)
        for path in _backbones(structure):
            base = _element_at(structure, path)["type"][0]["code"]
            types[path] = Type(path, "backbone", abstract=False, base=base)
    return types


def compile_elements(
    structures: Iterable[Json], systems: Mapping[str, frozenset[str]]
) -> dict[str, tuple[Element, ...]]:
    """The elements under each type, in published order.

    `systems` gives the code systems a value set draws from, by the value set's canonical url.
    """
    table: dict[str, list[Element]] = {}
    for structure in sorted(structures, key=lambda each: each["type"]):
        backbones = _backbones(structure)
        table[structure["type"]] = []
        table.update({path: [] for path in backbones})
        for definition in structure["snapshot"]["element"][1:]:
            parent, _, _ = definition["path"].rpartition(".")
            if definition["max"] != "0" and not _is_value_of_primitive(structure, definition):
                table[parent].append(_element(definition, backbones, systems))
    return {path: tuple(elements) for path, elements in table.items()}


def _backbones(structure: Json) -> dict[str, None]:
    """Paths that have elements of their own, the structure's root aside; in published order."""
    parents = (each["path"].rpartition(".")[0] for each in structure["snapshot"]["element"][1:])
    return dict.fromkeys(path for path in parents if path != structure["type"])


def _element_at(structure: Json, path: str) -> Json:
    elements: list[Json] = structure["snapshot"]["element"]
    return next(each for each in elements if each["path"] == path)


def _is_value_of_primitive(structure: Json, definition: Json) -> bool:
    path: str = definition["path"]
    return structure["kind"] == "primitive-type" and path.endswith(".value")


def _primitive(name: str, structures: Mapping[str, Json]) -> Primitive:
    structure = structures[name]
    base = structure["baseDefinition"].removeprefix(_CORE)
    inherited = Primitive() if base == "Element" else _primitive(base, structures)
    value = _element_at(structure, f"{name}.value")
    return Primitive(
        _extension(value["type"][0], _REGEX) or inherited.regex,
        value.get("minValueInteger", inherited.minimum),
        value.get("maxValueInteger", inherited.maximum),
        value.get("maxLength", inherited.max_length),
    )


def _element(
    definition: Json, backbones: Iterable[str], systems: Mapping[str, frozenset[str]]
) -> Element:
    path: str = definition["path"]
    name = path.rpartition(".")[2]
    binding = _binding(definition)
    keys = _keys(definition, backbones)
    return Element(
        name=name.removesuffix("[x]"),
        keys=keys,
        min=definition["min"],
        max=None if definition["max"] == "*" else int(definition["max"]),
        choice=name.endswith("[x]"),
        modifier=definition["isModifier"],
        summary=definition.get("isSummary", False),
        attribute="xmlAttr" in definition.get("representation", ()),
        binding=binding,
        system=_system(binding, keys, systems),
        reference_targets=_targets(definition, "Reference"),
        canonical_targets=_targets(definition, "canonical"),
        profiles=tuple(
            profile for each in definition.get("type", ()) for profile in each.get("profile", ())
        ),
    )


def _keys(definition: Json, backbones: Iterable[str]) -> dict[str, str]:
    path: str = definition["path"]
    name = path.rpartition(".")[2]
    if "contentReference" in definition:
        return {name: definition["contentReference"].removeprefix("#")}
    if path in backbones:
        return {name: path}
    types = [_type_name(each, definition) for each in definition["type"]]
    if name.endswith("[x]"):
        stem = name.removesuffix("[x]")
        return {stem + each[0].upper() + each[1:]: each for each in types}
    (only,) = types
    return {name: only}


def _type_name(given: Json, definition: Json) -> str:
    if definition["base"]["path"] == "Resource.id":
        return "id"  # the snapshots say string, the specification's text says id
    code: str = given["code"]
    if code.startswith(_SYSTEM_TYPES):
        return _extension(given, _FHIR_TYPE) or "string"
    return code


def _extension(element: Json, url: str) -> str | None:
    for extension in element.get("extension", ()):
        if extension["url"] == url:
            return str(next(value for key, value in extension.items() if key != "url"))
    return None


def _binding(definition: Json) -> Binding | None:
    binding = definition.get("binding")
    return binding and Binding(binding["strength"], binding.get("valueSet"))


def _system(
    binding: Binding | None, keys: Mapping[str, str], systems: Mapping[str, frozenset[str]]
) -> str | None:
    if binding is None or binding.strength != "required" or list(keys.values()) != ["code"]:
        return None
    drawn_from = systems.get((binding.value_set or "").partition("|")[0], frozenset())
    return next(iter(drawn_from)) if len(drawn_from) == 1 else None


def _targets(definition: Json, kind: str) -> tuple[str, ...]:
    for each in definition.get("type", ()):
        if each["code"] == kind:
            profiles = each.get("targetProfile", (f"{_CORE}Resource",))
            return tuple(profile.removeprefix(_CORE) for profile in profiles)
    return ()
