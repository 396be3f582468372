"""Types as functions: `is()`, `as()` and `type()`.

http://hl7.org/fhirpath/N1/#types-and-reflection
"""

from collections.abc import Mapping

from fhir_server.fhirpath.errors import Unfit
from fhir_server.fhirpath.functions.rules import Function, Kind, collection
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
        "is": collection(is_type, Kind.ANY_TYPE, scalar=True),
        "as": collection(as_type, Kind.TYPE),
        "type": collection(lambda items: [type_info(model, item) for item in items]),
    }
