"""What a commit, a retag and a purge do inside a transaction: check everything, then change."""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from fhir_server.storage.base import Conflict, GuardFailed
from fhir_server.storage.embedded.listed import among
from fhir_server.storage.embedded.packing import NOTHING, Packed, pack
from fhir_server.storage.embedded.pieces import Sql, sql
from fhir_server.storage.embedded.render import matches
from fhir_server.storage.embedded.transaction import Row, Transaction, inserting
from fhir_server.storage.query import Guard, Order, Plan
from fhir_server.storage.versions import Change, Version

_FEW = 32


class Prepared(NamedTuple):
    """A change with its terms packed, which is done before the writer's turn."""

    version: Version
    packed: Packed


class _Current(NamedTuple):
    n: int
    number: int
    live: bool
    packed: Packed


def prepared(changes: Sequence[Change]) -> list[Prepared]:
    return [
        Prepared(change.version, NOTHING if change.version.content is None else pack(change.terms))
        for change in changes
    ]


def may_put_off(changes: Sequence[Prepared], guards: Sequence[Guard]) -> bool:
    """Whether the commit only creates, and so few that its index rows are better put off."""
    few = len(changes) <= _FEW and not guards
    return few and all(version.number == 1 for version, _ in changes)


def commit(transaction: Transaction, changes: Sequence[Prepared], guards: Sequence[Guard]) -> None:
    """Store all versions, or raise Conflict or GuardFailed before anything is changed."""
    for index, guard in enumerate(guards):
        if not _holds(transaction, guard):
            raise GuardFailed(index)
    if len(changes) == 1 and changes[0].version.number == 1:
        _create_one(transaction, changes[0])
        return
    currents = _predecessors(transaction, changes)
    _create(transaction, [new for new, old in zip(changes, currents, strict=True) if old is None])
    for new, old in zip(changes, currents, strict=True):
        if old is not None:
            _supersede(transaction, new, old)


def retag(transaction: Transaction, changes: Sequence[Prepared]) -> int:
    """Replace the terms of those versions that are still current; return how many were."""
    done = 0
    currents = _currents(transaction, changes)
    for version, packed in changes:
        current = currents.get((version.type, version.id))
        if current is None or (current.n, current.number) != (
            version.ordinal,
            version.number,
        ):
            continue
        y = transaction.type_number(version.type)
        transaction.reindex(y, current.n, current.packed, packed)
        transaction.connection.execute(
            "UPDATE resources SET start = ?, stop = ?, keys = ?, texts = ?, drivers = ?, spans = ?"
            " WHERE n = ?",
            (*packed, current.n),
        )
        done += 1
    return done


def purge(transaction: Transaction, type_: str, id_: str) -> bool:
    """Erase a resource and its versions; False if there was none."""
    sought = Prepared(Version(type_, id_, 0, 0, 0, "", None), NOTHING)
    current = _currents(transaction, [sought]).get((type_, id_))
    if current is None:
        return False
    y = transaction.type_number(type_)
    transaction.reindex(y, current.n, current.packed, NOTHING)
    transaction.connection.execute("DELETE FROM history WHERE n = ?", (current.n,))
    transaction.connection.execute("DELETE FROM resources WHERE n = ?", (current.n,))
    transaction.erased = True
    return True


def _predecessors(transaction: Transaction, changes: Sequence[Prepared]) -> list[_Current | None]:
    """What each change supersedes, None where it creates; Conflict if one does not follow."""
    by_identity = _currents(transaction, changes)
    taken = _taken_ordinals(transaction, changes)
    currents: list[_Current | None] = []
    for index, (version, _) in enumerate(changes):
        current = by_identity.get((version.type, version.id))
        if current is None:
            follows = version.number == 1 and version.ordinal not in taken
        else:
            follows = (version.number, version.ordinal) == (current.number + 1, current.n)
        if not follows:
            raise Conflict(index)
        taken.add(version.ordinal)
        currents.append(current)
    return currents


def _currents(
    transaction: Transaction, changes: Sequence[Prepared]
) -> dict[tuple[str, str], _Current]:
    """The current versions of what is changed, one look for each type."""
    ids: dict[str, list[str]] = {}
    for version, _ in changes:
        ids.setdefault(version.type, []).append(version.id)
    found = {}
    for type_, of_type in ids.items():
        y = transaction.known_type(type_)
        if y is None:
            continue
        statement = sql(Sql(_CURRENT, (y,)), among("r.id", of_type))
        for id_, n, number, live, *packed in transaction.connection.execute(*statement).fetchall():
            found[type_, id_] = _Current(n, number, bool(live), Packed(*packed))
    return found


_CURRENT = (
    "SELECT r.id, r.n, r.number, r.live, r.start, r.stop, r.keys, r.texts, r.drivers, r.spans"
    " FROM resources r INDEXED BY resources_id WHERE r.y = ? AND "
)


def _taken_ordinals(transaction: Transaction, changes: Sequence[Prepared]) -> set[int]:
    """Which ordinals of the resources to be created are in use."""
    new = [version.ordinal for version, _ in changes if version.number == 1]
    if not new:
        return set()
    found = transaction.connection.execute(
        "SELECT n FROM resources WHERE n IN (SELECT value FROM json_each(?))", (json.dumps(new),)
    )
    return {n for (n,) in found.fetchall()}


def _holds(transaction: Transaction, guard: Guard) -> bool:
    plan = guard.plan
    y = transaction.known_type(plan.type)
    if y is None:
        return not guard.expected
    unordered = Plan(plan.type, plan.drive, plan.tests, Order(), None, 2)
    found = transaction.rows(matches(unordered, y, "r.id"))
    return {id_ for (id_,) in found} == guard.expected


def _create_one(transaction: Transaction, new: Prepared) -> None:
    """The commonest commit of all needs no look beforehand: its one insert does all or nothing."""
    y = transaction.type_number(new.version.type)
    try:
        _INSERT(transaction.connection, [_row(y, new)])
    except sqlite3.IntegrityError:
        raise Conflict(0) from None
    transaction.index(y, new.version.ordinal, new.packed)


def _create(transaction: Transaction, changes: Sequence[Prepared]) -> None:
    added: list[Row] = []
    for new in changes:
        y = transaction.type_number(new.version.type)
        added.append(_row(y, new))
        transaction.index(y, new.version.ordinal, new.packed)
    _INSERT(transaction.connection, added)


_INSERT = inserting(
    "resources",
    (
        *("n", "y", "id", "live", "number", "updated", "method"),
        *("start", "stop", "keys", "texts", "drivers", "spans", "content"),
    ),
)


def _row(y: int, new: Prepared) -> Row:
    version = new.version
    return (
        version.ordinal,
        y,
        version.id,
        int(not version.deleted),
        version.number,
        version.updated,
        version.method,
        *new.packed,
        version.content,
    )


def _supersede(transaction: Transaction, new: Prepared, current: _Current) -> None:
    version = new.version
    y = transaction.type_number(version.type)
    transaction.connection.execute(
        "INSERT INTO history (n, number, y, updated, superseded, method, content)"
        " SELECT n, number, y, updated, ?, method, content FROM resources WHERE n = ?",
        (version.updated, current.n),
    )
    values = (version.number, version.updated, version.method, *new.packed, version.content)
    transaction.connection.execute(_UPDATE, (*values, current.n))
    if version.deleted == current.live:
        transaction.connection.execute(_SET_LIVE, (int(not version.deleted), current.n))
    transaction.reindex(y, current.n, current.packed, new.packed)


_UPDATE = (
    "UPDATE resources SET number = ?, updated = ?, method = ?,"
    " start = ?, stop = ?, keys = ?, texts = ?, drivers = ?, spans = ?, content = ? WHERE n = ?"
)
_SET_LIVE = "UPDATE resources SET live = ? WHERE n = ?"
