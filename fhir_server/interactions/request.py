"""An exchange without HTTP: what HTTP, bundle entries, the command line and tests send.

https://hl7.org/fhir/R4/http.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fhir_server.fhir import json_format
from fhir_server.storage.versions import Version

Resource = dict[str, Any]
"""A FHIR resource as a plain JSON object, decimals as Decimal."""


class Request(msgspec.Struct, frozen=True):
    """One interaction asked for. Header names are lower case; path is relative to the base.

    It and its reply are structs, which are made in a quarter of the time.
    """

    method: str
    path: Sequence[str]
    """Segments without the base: `("Patient", "1", "_history")`."""
    query: Sequence[tuple[str, str]] = ()
    """Decoded pairs in the order given; for POST _search the form's pairs as well."""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: Resource | list[Any] | None = None
    """A resource; of a patch also a list of operations."""


class Reply(msgspec.Struct):
    """The answer: a status, and a version, content of our own making, or nothing."""

    status: int
    version: Version | None = None
    """The version the answer speaks of; gives ETag and Last-Modified, and the body if shown."""
    content: bytes | Resource | None = None
    """A body of our own making (Bundle, OperationOutcome, CapabilityStatement)."""
    shows_version: bool = True
    """Whether `version.content` is the body; False under Prefer: return=minimal."""
    location: str | None = None
    """Path of the new version relative to the base, for Location."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    warnings: list[str] = msgspec.field(default_factory=list)
    """What the caller should know though it worked; entries of a bundle show them as outcome."""


def body_of(reply: Reply) -> bytes | None:
    """The bytes of the answer's body; None when it has none."""
    if reply.content is not None:
        content = reply.content
        return content if isinstance(content, bytes) else json_format.write(content)
    if reply.version is not None and reply.shows_version:
        return reply.version.content
    return None
