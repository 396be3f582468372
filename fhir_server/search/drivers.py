"""Drivers: terms combined beforehand, so that frequent clinical searches are one ordered scan.

`Observation?patient=1&code=…&date=ge2020` finds its matches under one term, in order of date:

    all                 every live version of the type
    member              a patient's compartment, https://hl7.org/fhir/R4/compartmentdefinition.html
    single              one key, such as a code with its system
    pair                a member's versions with one key
    long copy of each   on versions whose main date spans a day or more, so that a search that
                        bounds where dates end also bounds where most of them begin

Terms are 16 bytes; the last one says whether a term is a long copy.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from fhir_server.storage.versions import KEY_BYTES, Key

_ALL, _MEMBER, _SINGLE, _PAIR = b"all", b"member", b"single", b"pair"
_PLAIN, _LONG = b"\0", b"\1"
_REMEMBERED = 2048
"""Terms kept of each kind: a patient's records arrive together."""
_FEW: Final = 32
"""Patients and keys of a version whose terms are kept."""


class DriverTerms:
    """The driver terms of one resource type."""

    def __init__(self, type_: str) -> None:
        self.type = type_
        self._type = type_.encode()
        self.all: Final = self._term(_ALL)
        self.member: Final = lru_cache(_REMEMBERED)(self._member)
        self.single: Final = lru_cache(_REMEMBERED)(self._single)
        self.pair: Final = lru_cache(_REMEMBERED)(self._pair)
        self._known: dict[tuple[object, ...], tuple[bytes, ...]] = {}

    def combined(
        self,
        members: Sequence[str],
        codes: Sequence[Key],
        categories: Sequence[Key],
        *,
        dated: bool,
        lasting: bool = False,
    ) -> Sequence[bytes]:
        """The terms of a version: of its patients, each alone and with all keys; each term once.

        A version of a type that is `dated` also has those without a patient; one that is
        `lasting`, the long copies of all.
        """
        asked = (dated, lasting, *members, None, *codes, None, *categories)
        found = self._known.get(asked)
        if found is None:
            found = self._combined(members, codes, categories, dated=dated)
            if lasting:
                found = (*found, *(long(term) for term in found))
            if len(asked) <= _FEW:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[asked] = found
        return found

    def _combined(
        self,
        members: Sequence[str],
        codes: Sequence[Key],
        categories: Sequence[Key],
        *,
        dated: bool,
    ) -> tuple[bytes, ...]:
        found = []
        for id_ in members:
            member = self.member("Patient", id_)
            found.append(member)
            found += [self.pair(member, key) for key in codes]
            found += [self.pair(member, key) for key in categories]
        if dated:
            found.append(self.all)
            found += [self.single(key) for key in codes]
        return tuple(dict.fromkeys(found))

    def _member(self, compartment: str, id_: str) -> bytes:
        """Versions in a compartment, such as that of a `Patient` and its id."""
        return self._term(_MEMBER, compartment.encode(), id_.encode("utf-8", "surrogatepass"))

    def _single(self, key: Key) -> bytes:
        """Versions with a key."""
        return self._term(_SINGLE, _as_bytes(key))

    def _pair(self, member: bytes, key: Key) -> bytes:
        """Versions under a member term that also have a key."""
        return self._term(_PAIR, member, _as_bytes(key))

    def _term(self, *parts: bytes) -> bytes:
        text = b"\0".join((self._type, *parts))
        return blake2b(text, digest_size=KEY_BYTES - 1).digest() + _PLAIN


def long(term: bytes) -> bytes:
    """The copy that only versions with a long main date carry."""
    return term[:-1] + _LONG


def _as_bytes(key: Key) -> bytes:
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
