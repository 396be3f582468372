"""Membership of a compartment as a criterion.

https://hl7.org/fhir/R4/compartmentdefinition.html

A patient's members are found under terms of their own (`drivers.py`); those of an encounter, a
device and their like by the reference parameters that the definition names.
"""

from fhir_server.definitions.registry import Definitions
from fhir_server.search.binding import Binder
from fhir_server.search.clause import Clause
from fhir_server.search.criterion import Criterion, Rank, any_of
from fhir_server.search.schemes import PATIENT
from fhir_server.search.scopes import Compartment
from fhir_server.search.values.parameter import Context
from fhir_server.storage.query import DriverIs, IdIs, Test


def membership(
    type_: str, compartment: Compartment, definitions: Definitions, binder: Binder, context: Context
) -> Criterion:
    """What resources of a type must meet to belong to a compartment."""
    owner, id_ = compartment
    if owner == PATIENT:
        term = binder.scheme(type_).terms.member(PATIENT, id_)
        return Criterion(
            owner, DriverIs((term,)), Rank.REFERENCE, members=(term,), members_exact=True
        )
    members = definitions.compartment(owner)
    codes = members.get(type_, ()) if members is not None else ()
    clauses = [Clause(code, None, (), (f"{owner}/{id_}",), code) for code in codes]
    criteria, _, _ = binder.bind(type_, clauses, context, lenient=False)
    tests: list[Test] = [each.test for each in criteria if isinstance(each, Criterion)]
    if type_ == owner:
        tests.append(IdIs(frozenset({id_})))
    return Criterion(owner, any_of(tests), Rank.REFERENCE)
