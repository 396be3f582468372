"""Constraints of R4 that do not say what their own sentence says, and what is checked instead.

https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.constraint and the tracker of
the specification, https://jira.hl7.org: where a later release has mended one, its words are taken.

A constraint holds when its expression is true. Some of the published ones are empty, which is not
true, where there is nothing that could be wrong.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Correction(NamedTuple):
    expression: str
    why: str


_UNTOLD: Final = (
    "two values of different precision or unit have no order; what cannot be told is not refused"
)

_ELEMENT_NAME: Final = r"""[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}"""
_ELEMENT_PATH: Final = rf"{_ELEMENT_NAME}(\\.{_ELEMENT_NAME}(\\[x\\])?(\\:[^\\s\\.]+)?)*"
_SIMPLE_PATH: Final = r"[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*"
_WHOLE: Final = "matches() looks for a part, and the whole path is meant"

CORRECTIONS: Final[Mapping[str, Correction]] = {
    "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')": Correction(
        "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
        "a name that is absent cannot be wrong, and the whole name is meant",
    ),
    "Appointment.cancelationReason.exists() implies "
    "(Appointment.status='no-show' or Appointment.status='cancelled')": Correction(
        "cancelationReason.exists() implies (status = 'noshow' or status = 'cancelled')",
        "the code is noshow",
    ),
    f"path.matches('{_ELEMENT_PATH}')": Correction(f"path.matches('^{_ELEMENT_PATH}$')", _WHOLE),
    f"path.matches('{_SIMPLE_PATH}')": Correction(f"path.matches('^{_SIMPLE_PATH}$')", _WHOLE),
    "fullUrl.contains('/_history/').not()": Correction(
        "fullUrl.exists() implies fullUrl.contains('/_history/').not()",
        "a fullUrl that is absent is no version specific reference",
    ),
    "clinicalStatus.exists() or verificationStatus.coding.where(system='http://terminology.hl7.org"
    "/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or "
    "category.select($this='problem-list-item').empty()": Correction(
        "clinicalStatus.exists() or verificationStatus.coding.where(system = 'http://terminology"
        ".hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or "
        "category.coding.where(system = 'http://terminology.hl7.org/CodeSystem/condition-category'"
        " and code = 'problem-list-item').empty()",
        "a category is a concept and no text, and select() gives something for every one",
    ),
    "operator = 'exists' implies (answer is Boolean)": Correction(
        "operator = 'exists' implies (answer is boolean)",
        "the value is an element of FHIR, whose type is boolean, and no System.Boolean",
    ),
    "probability is decimal implies (probability as decimal) <= 100": Correction(
        "(probability.exists() and probability is decimal) implies (probability as decimal) <= 100",
        "a probability that is absent is not above 100",
    ),
    "(low.empty() or ((low.code = '%') and (low.system = %ucum))) and "
    "(high.empty() or ((high.code = '%') and (high.system = %ucum)))": Correction(
        "($this is Range) implies ((low.empty() or ((low.code = '%') and (low.system = %ucum))) "
        "and (high.empty() or ((high.code = '%') and (high.system = %ucum))))",
        "it is about the Range only, and the other choice has no low and high",
    ),
    "reference.startsWith('#').not() or (reference.substring(1).trace('url') in "
    "%rootResource.contained.id.trace('ids'))": Correction(
        "reference.exists() implies (reference.startsWith('#').not() or reference = '#' or "
        "(reference.substring(1) in %rootResource.contained.id))",
        "a reference may have an identifier only, and # alone is the resource that contains",
    ),
    "start.hasValue().not() or end.hasValue().not() or (start <= end)": Correction(
        "start.hasValue().not() or end.hasValue().not() or (start <= end) or "
        "(start <= end).empty()",
        _UNTOLD,
    ),
    "low.empty() or high.empty() or (low <= high)": Correction(
        "low.empty() or high.empty() or (low <= high) or (low <= high).empty()", _UNTOLD
    ),
    "whenHandedOver.empty() or whenPrepared.empty() or whenHandedOver >= whenPrepared": Correction(
        "whenHandedOver.empty() or whenPrepared.empty() or (whenHandedOver >= whenPrepared) or "
        "(whenHandedOver >= whenPrepared).empty()",
        _UNTOLD,
    ),
    "lastModified.exists().not() or authoredOn.exists().not() or "
    "lastModified >= authoredOn": Correction(
        "lastModified.empty() or authoredOn.empty() or (lastModified >= authoredOn) or "
        "(lastModified >= authoredOn).empty()",
        _UNTOLD,
    ),
    "offset.empty() or (when.exists() and "
    "((when in ('C' | 'CM' | 'CD' | 'CV')).not()))": Correction(
        "offset.empty() or (when.exists() and "
        "when.where($this in ('C' | 'CM' | 'CD' | 'CV')).empty())",
        "there may be several whens, and `in` takes one",
    ),
    "enableWhen.count() > 2 implies enableBehavior.exists()": Correction(
        "enableWhen.count() > 1 implies enableBehavior.exists()", "more than one are two"
    ),
}
"""What was published, to what is checked."""

_SAYS_SOMETHING: Final = r"matches('<img|>[^<]*[^<\\s]')"
NARRATIVE: Final[Mapping[str, Correction]] = {
    "txt-1": Correction(
        f"htmlChecks() or {_SAYS_SOMETHING}.not()",
        "both constraints of a narrative are htmlChecks(); what says nothing breaks the other",
    ),
    "txt-2": Correction(
        f"{_SAYS_SOMETHING} or htmlChecks()",
        "what has a forbidden part and says something breaks the other",
    ),
}
"""By key: the expression that was published is the same."""


def correction(key: str, expression: str) -> Correction | None:
    """What is checked instead of a constraint, if it is not what was published."""
    return NARRATIVE.get(key) or CORRECTIONS.get(expression)
