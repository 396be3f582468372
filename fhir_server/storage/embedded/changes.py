"""What a commit, a retag and a purge do inside a transaction: check everything, then change."""

from collections.abc import Sequence
from typing import NamedTuple

from fhir_server.storage.base import Conflict, GuardFailed
from fhir_server.storage.embedded.packing import NOTHING, Packed, pack
from fhir_server.storage.embedded.render import matches
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.query import Guard, Order, Plan
from fhir_server.storage.versions import Change


class Prepared(NamedTuple):
    """A change with its terms packed, which is done before the writer's turn."""

    change: Change
    packed: Packed


class _Current(NamedTuple):
    n: int
    number: int
    packed: Packed


def prepared(changes: Sequence[Change]) -> list[Prepared]:
    return [
        Prepared(change, NOTHING if change.version.deleted else pack(change.terms))
        for change in changes
    ]


def commit(transaction: Transaction, changes: Sequence[Prepared], guards: Sequence[Guard]) -> None:
    """Store all versions, or raise Conflict or GuardFailed before anything is changed."""
    currents = _predecessors(transaction, changes)
    if guards:
        transaction.flush()
    for index, guard in enumerate(guards):
        if not _holds(transaction, guard):
            raise GuardFailed(index)
    for prepared_, current in zip(changes, currents, strict=True):
        if current is None:
            _create(transaction, prepared_)
        else:
            _supersede(transaction, prepared_, current)


def retag(transaction: Transaction, changes: Sequence[Prepared]) -> int:
    """Replace the terms of those versions that are still current; return how many were."""
    done = 0
    for change, packed in changes:
        version = change.version
        y = transaction.known_type(version.type)
        current = None if y is None else _current(transaction, y, version.id)
        if y is None or current is None or current[:2] != (version.ordinal, version.number):
            continue
        transaction.replace_terms(y, current.n, current.packed, packed)
        transaction.connection.execute(
            "UPDATE resources SET start = ?, stop = ?, keys = ?, texts = ?, drivers = ?, spans = ?"
            " WHERE n = ?",
            (*packed, current.n),
        )
        done += 1
    return done


def purge(transaction: Transaction, type_: str, id_: str) -> bool:
    """Erase a resource and its versions; False if there was none."""
    y = transaction.known_type(type_)
    current = None if y is None else _current(transaction, y, id_)
    if y is None or current is None:
        return False
    transaction.replace_terms(y, current.n, current.packed, NOTHING)
    transaction.connection.execute("DELETE FROM history WHERE n = ?", (current.n,))
    transaction.connection.execute("DELETE FROM resources WHERE n = ?", (current.n,))
    return True


def _predecessors(transaction: Transaction, changes: Sequence[Prepared]) -> list[_Current | None]:
    currents: list[_Current | None] = []
    ordinals: set[int] = set()
    for index, (change, _) in enumerate(changes):
        version = change.version
        y = transaction.known_type(version.type)
        current = None if y is None else _current(transaction, y, version.id)
        if current is None:
            follows = version.number == 1 and not _ordinal_taken(transaction, version.ordinal)
        else:
            follows = (version.number, version.ordinal) == (current.number + 1, current.n)
        if not follows or version.ordinal in ordinals:
            raise Conflict(index)
        ordinals.add(version.ordinal)
        currents.append(current)
    return currents


def _current(transaction: Transaction, y: int, id_: str) -> _Current | None:
    row = transaction.connection.execute(
        "SELECT n, number, start, stop, keys, texts, drivers, spans FROM resources"
        " WHERE y = ? AND id = ?",
        (y, id_),
    ).fetchone()
    return None if row is None else _Current(row[0], row[1], Packed(*row[2:]))


def _ordinal_taken(transaction: Transaction, ordinal: int) -> bool:
    found = transaction.connection.execute("SELECT 1 FROM resources WHERE n = ?", (ordinal,))
    return found.fetchone() is not None


def _holds(transaction: Transaction, guard: Guard) -> bool:
    plan = guard.plan
    y = transaction.known_type(plan.type)
    if y is None:
        return not guard.expected
    unordered = Plan(plan.type, plan.drive, plan.tests, Order(), None, 2)
    found = transaction.connection.execute(*matches(unordered, y, "r.id")).fetchall()
    return {id_ for (id_,) in found} == guard.expected


def _create(transaction: Transaction, new: Prepared) -> None:
    version = new.change.version
    y = transaction.type_number(version.type)
    transaction.connection.execute(
        "INSERT INTO resources (n, y, id, number, updated, method,"
        " start, stop, keys, texts, drivers, spans, content)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            version.ordinal,
            y,
            version.id,
            version.number,
            version.updated,
            version.method,
            *new.packed,
            version.content,
        ),
    )
    transaction.replace_terms(y, version.ordinal, NOTHING, new.packed)


def _supersede(transaction: Transaction, new: Prepared, current: _Current) -> None:
    version = new.change.version
    y = transaction.type_number(version.type)
    transaction.connection.execute(
        "INSERT INTO history (n, number, y, updated, superseded, method, content)"
        " SELECT n, number, y, updated, ?, method, content FROM resources WHERE n = ?",
        (version.updated, current.n),
    )
    transaction.connection.execute(
        "UPDATE resources SET number = ?, updated = ?, method = ?,"
        " start = ?, stop = ?, keys = ?, texts = ?, drivers = ?, spans = ?, content = ?"
        " WHERE n = ?",
        (
            version.number,
            version.updated,
            version.method,
            *new.packed,
            version.content,
            current.n,
        ),
    )
    transaction.replace_terms(y, current.n, current.packed, new.packed)
