"""Packing: `ucum-essence.xml` becomes the small table that the package carries.

    python -m fhir_server.fhir.ucum_packing ucum-essence.xml > fhir_server/fhir/ucum.json

Names, print symbols and the case-insensitive codes are left out; no code and no value is changed.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

_NS = "{http://unitsofmeasure.org/ucum-essence}"
_DEGREES = {"Cel": "273.15", "degF": "459.67", "degRe": "218.52"}
"""Special units that are a straight line: degrees from absolute zero to their own zero."""

LICENCE = (
    "This product includes all or a portion of the UCUM table, UCUM codes, and UCUM definitions "
    "or is derived from it, subject to a license from Regenstrief Institute, Inc. and The UCUM "
    "Organization. Your use of the UCUM table, UCUM codes, UCUM definitions also is subject to "
    "this license, a copy of which is available at http://unitsofmeasure.org. The current "
    "complete UCUM table, UCUM Specification are available for download at "
    "http://unitsofmeasure.org. The UCUM table and UCUM codes are copyright \u00a9 1995-2009, "
    "Regenstrief Institute, Inc. and the Unified Codes for Units of Measures (UCUM) "
    "Organization. All rights reserved. THE UCUM TABLE (IN ALL FORMATS), UCUM DEFINITIONS, AND "
    "SPECIFICATION ARE PROVIDED 'AS IS.' ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED, "
    "INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A "
    "PARTICULAR PURPOSE."
)
"""The notice that goes with the table, as its owners word it."""


def pack(essence: Path) -> dict[str, Any]:
    """The table: base units, prefixes, and units as [metric, value, unit] by code.

    A temperature that does not begin at absolute zero has a fourth member: the degrees between.
    A unit that is no multiple of others (arbitrary, or special with a curve) has value null.
    """
    root = ET.parse(essence).getroot()  # noqa: S314 - a file the maintainer downloaded
    return {
        "licence": LICENCE,
        "version": root.attrib["version"],
        "base": [unit.attrib["Code"] for unit in root.findall(f"{_NS}base-unit")],
        "prefixes": {
            prefix.attrib["Code"]: _value(prefix).attrib["value"]
            for prefix in root.findall(f"{_NS}prefix")
        },
        "units": {unit.attrib["Code"]: _unit(unit) for unit in root.findall(f"{_NS}unit")},
    }


def _unit(unit: ET.Element) -> list[Any]:
    metric = unit.attrib["isMetric"] == "yes"
    value = _value(unit)
    function = value.find(f"{_NS}function")
    if function is not None:
        name = function.attrib["name"]
        if name not in _DEGREES:
            return [metric, None, ""]
        factor, kelvin = function.attrib["value"], function.attrib["Unit"]
        return [metric, factor, kelvin, _DEGREES[name]]
    if unit.attrib.get("isArbitrary") == "yes" and value.attrib["Unit"] == "1":
        return [metric, None, ""]
    return [metric, value.attrib["value"], value.attrib["Unit"]]


def _value(element: ET.Element) -> ET.Element:
    value = element.find(f"{_NS}value")
    if value is None:
        raise ValueError(f"{element.attrib['Code']} has no value")
    return value


def write(table: dict[str, Any]) -> str:
    """JSON with one unit a line, so that a change of one unit shows as one."""
    units = ",\n".join(f"  {_json(code)}: {_json(unit)}" for code, unit in table["units"].items())
    rest = (f" {_json(name)}: {_json(part)}" for name, part in table.items() if name != "units")
    return "{\n" + ",\n".join(rest) + ',\n "units": {\n' + units + "\n }\n}\n"


_json = partial(json.dumps, ensure_ascii=False)

if __name__ == "__main__":
    sys.stdout.write(write(pack(Path(sys.argv[1]))))
