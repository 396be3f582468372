"""From CompartmentDefinition resources to the table of compartments.

https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from collections.abc import Iterable
from typing import Any

_ITSELF = "{def}"  # in place of a parameter code: a member by being the compartment's subject


def compile_compartments(
    resources: Iterable[dict[str, Any]],
) -> dict[str, tuple[str, dict[str, tuple[str, ...]]]]:
    """Code to canonical url and parameter codes by resource type.

    Types listed without parameters are no members and left out. The type the compartment is
    about is always there, for its one member by id.
    """
    return {each["code"]: (each["url"], _members(each)) for each in resources}


def _members(resource: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    members: dict[str, tuple[str, ...]] = {resource["code"]: ()}
    for each in resource["resource"]:
        codes = tuple(code for code in each.get("param", ()) if code != _ITSELF)
        if codes:
            members[each["code"]] = codes
    return dict(sorted(members.items()))
