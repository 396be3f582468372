"""References between resources, as they are written.

https://hl7.org/fhir/R4/references.html#literal

One text can be many things; `parse` says which. Whether a target exists is not asked here.
"""

import re

import msgspec

_TYPE = r"(?P<type>[A-Z][A-Za-z]{1,63})"
_ID = r"(?P<id>[A-Za-z0-9\-.]{1,64})"
_HISTORY = r"(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?"

_relative = re.compile(f"{_TYPE}/{_ID}{_HISTORY}").fullmatch
_conditional = re.compile(rf"{_TYPE}\?(?P<query>.+)", re.DOTALL).fullmatch
_absolute = re.compile(rf"(?P<base>https?://.*)/{_TYPE}/{_ID}{_HISTORY}").fullmatch
_is_url = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^ \t\n\r]*").fullmatch


class Local(msgspec.Struct, frozen=True):
    """A resource of this server: `Type/id`, `Type/id/_history/version`, or absolute at our base."""

    type: str
    id: str
    version: str | None = None


class Conditional(msgspec.Struct, frozen=True):
    """`Type?query`, to be resolved when a bundle is committed."""

    type: str
    query: str


class Contained(msgspec.Struct, frozen=True):
    """`#id`: a resource inside the one that refers; an empty id is that resource itself."""

    id: str


class Elsewhere(msgspec.Struct, frozen=True):
    """An absolute URL, `urn:uuid:`, `urn:oid:` or canonical that this server does not own."""

    url: str
    """Without business version, fragment and history."""
    version: str | None = None
    """Business version of a canonical: what follows `|`."""
    type: str | None = None
    """Resource type, where the URL ends like that of a FHIR server."""
    id: str | None = None


Reference = Local | Conditional | Contained | Elsewhere


def relative(text: str) -> tuple[str, str] | None:
    """Type and id of a reference that is written `Type/id`, with a version or without."""
    found = _relative(text)
    return (found[1], found[2]) if found else None


def parse(text: str, base_url: str = "") -> Reference | None:
    """What a reference text means; None if it is none.

    `base_url` is where our own resources live, without a trailing slash; empty: not known.
    """
    if found := _relative(text):
        return Local(found["type"], found["id"], found["version"])
    if text.startswith("#"):
        return Contained(text[1:])
    if found := _conditional(text):
        return Conditional(found["type"], found["query"])
    if not _is_url(text):
        return None
    if found := _absolute(text):
        if base_url and found["base"] == base_url:
            return Local(found["type"], found["id"], found["version"])
        url = f"{found['base']}/{found['type']}/{found['id']}"
        return Elsewhere(url, None, found["type"], found["id"])
    url, _, version = text.partition("|")
    return Elsewhere(url.partition("#")[0], version.partition("#")[0] or None)
