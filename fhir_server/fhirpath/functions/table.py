"""All functions by name, with what they take. http://hl7.org/fhirpath/N1/#functions."""

from collections.abc import Mapping
from operator import not_

from fhir_server.fhirpath.functions.additional import ADDITIONAL
from fhir_server.fhirpath.functions.boundaries import BOUNDARIES
from fhir_server.fhirpath.functions.combining import COMBINING
from fhir_server.fhirpath.functions.conversion import CONVERSION
from fhir_server.fhirpath.functions.existence import EXISTENCE
from fhir_server.fhirpath.functions.filtering_and_projection import FILTERING_AND_PROJECTION
from fhir_server.fhirpath.functions.math import MATH
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, value
from fhir_server.fhirpath.functions.string_manipulation import STRING_MANIPULATION
from fhir_server.fhirpath.functions.subsetting import SUBSETTING
from fhir_server.fhirpath.functions.tree_navigation import tree_navigation
from fhir_server.fhirpath.functions.types import types
from fhir_server.fhirpath.functions.utility import UTILITY
from fhir_server.fhirpath.model import Model

BOOLEAN_LOGIC = {"not": value(Kind.BOOLEAN, not_, result=Result.BOOLEAN)}


def functions(model: Model) -> Mapping[str, Function]:
    return {
        **EXISTENCE,
        **FILTERING_AND_PROJECTION,
        **SUBSETTING,
        **COMBINING,
        **CONVERSION,
        **STRING_MANIPULATION,
        **MATH,
        **tree_navigation(model),
        **UTILITY,
        **BOUNDARIES,
        **types(model),
        **BOOLEAN_LOGIC,
        **ADDITIONAL,
    }
