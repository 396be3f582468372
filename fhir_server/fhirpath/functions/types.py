"""Types as functions: `is()`, `as()` and `type()`.

http://hl7.org/fhirpath/N1/#types-and-reflection

`as()` takes any number of items, as `ofType()` does: R4's own dom-3 is
`descendants().as(canonical)`. The operator takes one, as the specification says.
"""

from collections.abc import Mapping

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.functions.filtering_and_projection import of_type
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, collection
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.model import Model
from fhir_server.fhirpath.operators.types import Test, type_info


def is_type(items: list[Item], test: Test) -> bool | None:
    if len(items) > 1:
        raise Unfit(f"is asks about one item, not {len(items)}")
    return test(items[0]) if items else None


def as_type(items: list[Item], test: Test) -> list[Item]:
    if len(items) > 1:
        raise Unfit(f"as takes one item, not {len(items)}; ofType() takes any number")
    return items if items and test(items[0]) else []


def types(model: Model) -> Mapping[str, Function]:
    return {
        "is": collection(is_type, Kind.ANY_TYPE, result=Result.BOOLEAN),
        "as": collection(of_type, Kind.TYPE),
        "type": collection(lambda items: [type_info(model, item) for item in items]),
    }
