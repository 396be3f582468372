"""What commits in flight may not do at the same time, and how long one waits for another.

A commit with guards is registered before it looks: its entry in `store.commits` carries what its
guards read (`g`) and what its versions write (`w`), as hashes. Two commits are rivals when one
writes what the other reads. Both look for rivals only after they registered, so at least one sees
the other: the younger then withdraws and the elder waits, which cannot go in circles.

A guard reads the keys without one of which nothing can match it (or, without any, its whole type)
and the ids it expects. A version writes its keys, its id and its type. So a new match, and an
expected one that changes, are both seen. A hash met by chance only makes somebody wait.

Who reads or writes so much that its entry would have no room claims whole types instead: a name
that every writer of a type writes, or one that every reader of it reads.

Time decides nothing here but whom one suspects to be dead. Who is suspected loses its entry by a
compare-and-set, and finds that out at its own decision, however late it wakes up.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from bson.int64 import Int64

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.mongo.documents import Write
from fhir_server.storage.mongo.topology import Collection, Document, Session
from fhir_server.storage.query import AllOf, DriverIs, Guard, IdIs, KeyIs, Plan, Test
from fhir_server.storage.versions import Change, Key

PENDING, DECIDED, ABORTED = "pending", "decided", "aborted"

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
_TYPE, _ID, _KEY, _DRIVER, _MANY = b"t", b"i", b"k", b"d", b"m"

CLAIMS = 100_000
"""What an entry has room for of either kind."""


Check = Callable[[Session | None], Awaitable[None]]
"""Looks at the guards of a commit, within a transaction if there is one; raises GuardFailed."""


class Contended(Exception):
    """Another commit is in the way."""

    def __init__(self, commit: str | None, type_: str = "", id_: str = "") -> None:
        super().__init__(f"commit {commit} is in the way")
        self.commit = commit
        """None when it is gone already."""
        self.type = type_
        self.id = id_
        """Which resource it holds; empty when it is a rival by its guards."""


class Overtaken(Contended):
    """The attempt itself has to be given up: an elder rival goes first, or its entry is lost."""


class Waiting:
    """How long one commit has waited, altogether and for each other one."""

    def __init__(self, deadline: float, patience: float) -> None:
        """Both in seconds: to give up altogether, and to suspect that another is dead."""
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + deadline
        self._pause = _FIRST_PAUSE
        self._seen: dict[str, float] = {}

    async def pause(self) -> None:
        """Wait a random while, longer each time; DeadlineExceeded when it has been enough."""
        if self._clock() > self._end:
            raise DeadlineExceeded("other commits were in the way for too long")
        await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311  # only spreads
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def tired_of(self, commit: str) -> bool:
        """Whether that commit has been in the way for so long that it must be dead."""
        return self._clock() - self._seen.setdefault(commit, self._clock()) > self._patience


@dataclass(frozen=True, slots=True)
class Claims:
    """What the guards of a commit read and its versions write; nothing without guards."""

    reads: tuple[Int64, ...] = ()
    writes: tuple[Int64, ...] = ()


NO_CLAIMS = Claims()


@dataclass(frozen=True, slots=True)
class Job:
    """A commit: what it shall store, and how far it may go for that."""

    age: str
    """A time-ordered id, the same in all its attempts: the elder goes first."""
    writes: Sequence[Write]
    claims: Claims
    check: Check
    waiting: Waiting


def claims_of(changes: Sequence[Change], guards: Sequence[Guard]) -> Claims:
    if not guards:
        return NO_CLAIMS
    read_types = {guard.plan.type for guard in guards}
    written_types = {change.version.type for change in changes}
    return Claims(
        _hashes((read for guard in guards for read in _reads(guard)), read_types),
        _hashes((written for change in changes for written in _writes(change)), written_types),
    )


async def rival(
    commits: Collection, commit: str, job: Job, session: Session | None = None
) -> str | None:
    """A commit in flight for which this one has to wait; Overtaken when it has to step back."""
    if not job.claims.reads:
        return None
    written = {"w": {"$in": list(job.claims.reads)}}
    read = {"g": {"$in": list(job.claims.writes)}}
    wanted = {"_id": {"$ne": commit}, "$or": [written, read]}
    others = await commits.find(wanted, {"s": 1, "age": 1}, session=session).to_list()
    elder = must_withdraw(job.age, others)
    if elder is not None:
        raise Overtaken(elder["_id"])
    return others[0]["_id"] if others else None


def must_withdraw(age: str, others: Iterable[Document]) -> Document | None:
    """The elder rival that is still undecided, before which one of this age has to step back."""
    elders = (other for other in others if other["s"] == PENDING and other["age"] < age)
    return next(elders, None)


def _reads(guard: Guard) -> Iterator[bytes]:
    type_ = guard.plan.type
    yield _name(type_, _MANY, "")
    for id_ in guard.expected:
        yield _name(type_, _ID, id_)
    yield from _necessary(guard.plan)


def _necessary(plan: Plan) -> Iterator[bytes]:
    """Names without one of which no version can match; the type's when none is known."""
    for test in _conjuncts((plan.drive, *plan.tests)):
        match test:
            case KeyIs(keys):
                return (yield from (_name(plan.type, _KEY, key) for key in keys))
            case DriverIs(drivers):
                return (yield from (_name(plan.type, _DRIVER, one) for one in drivers))
            case IdIs(ids):
                return (yield from (_name(plan.type, _ID, id_) for id_ in ids))
    yield _name(plan.type, _TYPE, "")


def _conjuncts(tests: Iterable[Test | None]) -> Iterator[Test]:
    for test in tests:
        if isinstance(test, AllOf):
            yield from _conjuncts(test.tests)
        elif test is not None:
            yield test


def _writes(change: Change) -> Iterator[bytes]:
    type_ = change.version.type
    yield _name(type_, _TYPE, "")
    yield _name(type_, _ID, change.version.id)
    for key in change.terms.keys:
        yield _name(type_, _KEY, key)
    for driver in change.terms.drivers:
        yield _name(type_, _DRIVER, driver)


def _name(type_: str, kind: bytes, key: Key) -> bytes:
    text = key.encode() if isinstance(key, str) else key
    return b"\0".join((type_.encode(), kind, text))


def _hashes(names: Iterable[bytes], types: Iterable[str]) -> tuple[Int64, ...]:
    """The names as numbers, or those of their types when they are too many."""
    several = set(islice(names, CLAIMS + 1))
    if len(several) > CLAIMS:
        several = {_name(type_, kind, "") for type_ in types for kind in (_TYPE, _MANY)}
    digests = (blake2b(name, digest_size=8).digest() for name in several)
    return tuple(sorted({Int64(int.from_bytes(digest, signed=True)) for digest in digests}))
