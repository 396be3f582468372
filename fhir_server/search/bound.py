"""A search parameter ready for values: where it looks, how it reads, what drivers it can use.

Made once for each parameter that is asked for, and kept. A derived parameter (`rewriting.py`)
looks where others look:

    combo-code=x    →  any of code=x, component-code=x
    patient=1       →  subject=Patient/1
    patient=Group/1 →  nothing
"""

from dataclasses import dataclass
from typing import Final

from fhir_server.errors import BadRequest, TooCostly
from fhir_server.fhir.primitives import is_id
from fhir_server.fhir.reference import Local, parse
from fhir_server.search import keys
from fhir_server.search.conditions import names_type
from fhir_server.search.criterion import NOTHING, Criterion, Rank, any_of
from fhir_server.search.schemes import PATIENT, Scheme, names_group
from fhir_server.search.values.escapes import unescape
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.position import MOST_CIRCLES
from fhir_server.search.values.table import Values
from fhir_server.storage.query import KeyIs, Not, Test
from fhir_server.storage.versions import Key

_AFTER_GROUP: Final = keys.PREFIX_BYTES + keys.GROUP_BYTES


@dataclass(frozen=True, slots=True)
class Bound:
    """One parameter of one resource type."""

    places: tuple[Parameter, ...]
    """Where it looks: itself, or the parameters it is derived from."""
    type: str
    """How it is searched: token, reference, ..."""
    values: Values
    target: str | None
    """The only type its references count for, when it is narrowed to one."""
    rank: Rank
    scheme: Scheme
    paired: bool
    """Whether its keys are drivers together with a patient."""
    alone: bool
    """Whether its keys are drivers without one."""
    main_date: bool

    @property
    def code(self) -> str:
        return self.places[0].code

    def criterion(self, values: tuple[str, ...], context: Context) -> Criterion:
        """The criterion that one of the values holds; BadRequest for a wrong one."""
        if self.type == "special" and len(values) > MOST_CIRCLES:
            raise TooCostly(f"{self.code} takes {MOST_CIRCLES} values, not {len(values)}.")
        if len(values) == 1:
            test = self._test(values[0], context)
        else:
            test = any_of([self._test(value, context) for value in values])
        code, memberships = self.code, self.scheme.memberships
        return Criterion(
            code,
            test,
            self.rank,
            members=self._members(values, context) if code in memberships else (),
            members_exact=memberships.get(code, False),
            pairs=self.pairs(test),
            alone=self.alone,
            main_date=self.main_date,
        )

    def pairs(self, test: Test) -> tuple[Key, ...]:
        """The keys of a test as drivers know them; none when one of them is no driver."""
        if not self.paired or not isinstance(test, KeyIs):
            return ()
        found = tuple(map(self._as_driver_key, test.keys))
        return found if all(map(names_group, found)) else ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Types its references may point to; none for another search type."""
        return self.places[0].targets if self.type == "reference" else ()

    def missing(self, values: tuple[str, ...]) -> Criterion:
        """The criterion of `:missing`; BadRequest unless the value is true or false."""
        present = any_of([self._present(place) for place in self.places])
        test = Not(present) if truth_of_missing(self.code, values) else present
        return Criterion(f"{self.code}:missing", test, Rank.CATEGORY)

    def _present(self, place: Parameter) -> Test:
        if self.target is None:
            return self.values.present(place)
        return keys.of_group(place.indexed, keys.group(self.target))

    def _test(self, value: str, context: Context) -> Test:
        meant = value if self.target is None else _narrowed(value, self.target)
        if len(self.places) == 1:
            test = self.values.test(self.places[0], meant or value, context)
            return NOTHING if meant is None else test
        tests = [self.values.test(place, meant or value, context) for place in self.places]
        return NOTHING if meant is None else any_of(tests)

    def _members(self, values: tuple[str, ...], context: Context) -> tuple[bytes, ...]:
        """The patients of whom a match must be a member; none when it may be anyone's."""
        ids = [self._patient(value, context) for value in values]
        if not all(ids):
            return ()
        return tuple([self.scheme.terms.member(PATIENT, id_) for id_ in ids if id_])

    def _patient(self, value: str, context: Context) -> str | None:
        text = unescape(value)
        if is_id(text):
            return text if self.places[0].targets == (PATIENT,) else None
        match parse(text, context.base_url):
            case Local(type="Patient", id=id_):
                return id_
            case _:
                return None

    def _as_driver_key(self, key: Key) -> Key:
        """A plain `code` has no system, so that asking for any system is asking for none."""
        if isinstance(key, bytes) and self.places[0].types == {"code"} and not names_group(key):
            return key[: keys.PREFIX_BYTES] + keys.NONE + key[_AFTER_GROUP:]
        return key


def truth_of_missing(code: str, values: tuple[str, ...]) -> bool:
    """Whether `:missing` asks for what has no value; BadRequest unless it is true or false."""
    if values not in {("true",), ("false",)}:
        raise BadRequest(f"{code}:missing is either true or false.")
    return values == ("true",)


def _narrowed(value: str, target: str) -> str | None:
    """The value as a reference to the type; None when it refers to another."""
    text = unescape(value)
    if is_id(text):
        return f"{target}/{text}"
    return value if names_type(text, target) else None
