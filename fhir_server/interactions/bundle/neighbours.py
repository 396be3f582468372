"""Which neighbours in a batch may be carried out at once.

https://hl7.org/fhir/R4/http.html#transaction

Entries of a batch do not depend on each other, yet many a client trusts their order. So only
writes of different resources go together, none of which looks for what another writes: nobody
can tell that they were not carried out one after the other. What waits together becomes durable
together, which is where a batch's time goes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fhir_server.interactions.bundle.entries import Entry
from fhir_server.interactions.context import Context
from fhir_server.interactions.links import references_in
from fhir_server.interactions.references import criteria_of
from fhir_server.interactions.request import Reply

AT_ONCE = 64
"""Most entries of a run. The way to durability costs the same for few as for many."""


class _Write(NamedTuple):
    """A write of one resource, which is named or new."""

    type: str
    id: str | None
    seeks: frozenset[str]
    """Types among which its conditional references look."""


def runs(entries: Iterable[Entry | Reply], context: Context) -> Iterator[Sequence[Entry | Reply]]:
    """The entries in their order, parted so that those of a run may be carried out at once.

    In place of an entry there may be what it is answered with already.
    """
    run: list[Entry | Reply] = []
    writes: list[_Write] = []
    for entry in entries:
        write = _write(entry, context)
        if run and not (write and writes and _may_join(write, writes)):
            yield run
            run, writes = [], []
        run.append(entry)
        writes += [write] if write else []
    if run:
        yield run


def _may_join(write: _Write, others: Sequence[_Write]) -> bool:
    return len(others) < AT_ONCE and all(_independent(write, other) for other in others)


def _independent(write: _Write, other: _Write) -> bool:
    same = write.id is not None and (write.type, write.id) == (other.type, other.id)
    return not same and write.type not in other.seeks and other.type not in write.seeks


def _write(entry: Entry | Reply, context: Context) -> _Write | None:
    """What it writes; None when it does not, or what it writes or needs is found otherwise."""
    if isinstance(entry, Reply):
        return None
    request = entry.request
    match request.method, request.path:
        case "POST", [type_] if "if-none-exist" not in request.headers:
            id_ = None
        case "PUT" | "DELETE", [type_, id_]:
            pass
        case _:
            return None
    seeks = _sought(request.body, context)
    return None if seeks is None else _Write(type_, id_, seeks)


def _sought(body: object, context: Context) -> frozenset[str] | None:
    """Types whose resources its references look for; None when criteria lead to further ones."""
    sought = set()
    for link in references_in(body) if isinstance(body, dict) else ():
        criteria = criteria_of(link.value, context)
        if criteria is not None:
            type_, pairs = criteria
            if any("." in name or name.startswith("_has") for name, _ in pairs):
                return None
            sought.add(type_)
    return frozenset(sought)
