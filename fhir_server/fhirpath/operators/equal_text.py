"""`path = 'text'`: what invariants ask most, without the general case's detours.

http://hl7.org/fhirpath/N1/#equality
"""

from fhir_server.fhirpath.code import Code
from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.items import Element, Item
from fhir_server.fhirpath.navigation import Many, Scalar
from fhir_server.fhirpath.operators.equality import equal
from fhir_server.fhirpath.singletons import is_plain_text


def only_text(code: Code) -> str | None:
    """The String that a code always gives, if it does."""
    known = code.constant
    if known is None or len(known) != 1:
        return None
    return known[0] if isinstance(known[0], str) else None


def equals_text(many: Many, text: str, answer: bool) -> Scalar:  # noqa: FBT001 - False for `!=`
    other: list[Item] = [text]

    def run(evaluation: Evaluation, items: list[Item]) -> bool | None:
        found = many(evaluation, items)
        if len(found) == 1:
            item = found[0]
            if type(item) is Element and is_plain_text(item):
                return (item.value == text) is answer
        general = equal(found, other)
        return None if general is None else general is answer

    return run
