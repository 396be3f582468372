"""References: to resources of this server, to others, and by identifier.

https://hl7.org/fhir/R4/search.html#reference
"""

import re
from dataclasses import dataclass

from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import Refused, split, unescape

_ID = r"[A-Za-z0-9\-.]{1,64}"
_LOCAL = re.compile(rf"([A-Z][A-Za-z]+)/({_ID})(/_history/{_ID})?")
_REMOTE = re.compile(rf"https?://.*/[A-Z][A-Za-z]+/{_ID}(?P<history>/_history/{_ID})?", re.DOTALL)


@dataclass(frozen=True)
class Local:
    type: str
    id: str


@dataclass(frozen=True)
class Remote:
    url: str
    version: str = ""


def target(element: Element, base_url: str) -> Local | Remote | None:
    """Where a reference leads; None for one to something contained, or to nothing."""
    value = element.value
    if isinstance(value, dict) and "resourceType" in value:
        return Local(value["resourceType"], value["id"]) if "id" in value else None
    text = value.get("reference") if isinstance(value, dict) else value
    return _target(text, base_url) if isinstance(text, str) else None


def matches(value: str, element: Element, targets: tuple[str, ...], base_url: str) -> bool:
    text, has = unescape(value), target(element, base_url)
    if re.fullmatch(_ID, text):
        if not targets:
            raise Refused(f"{value} needs a type")
        return isinstance(has, Local) and has.id == text and has.type in targets
    asked = _target(text, base_url)
    if asked is None:
        raise Refused(f"{value} is no reference")
    if isinstance(has, Remote) and isinstance(asked, Remote) and not asked.version:
        return has.url == asked.url
    return has == asked


def of_type(value: str, element: Element, type_: str, base_url: str) -> bool:
    """`:Patient`: an id, or whatever refers to one."""
    text, has = unescape(value), target(element, base_url)
    asked = Local(type_, text) if re.fullmatch(_ID, text) else _target(text, base_url)
    return isinstance(asked, Local) and asked.type == type_ and has == asked


def by_identifier(value: str, element: Element) -> bool:
    """`:identifier`: that which the reference itself carries."""
    pieces = [unescape(piece) for piece in split(value, "|")]
    identifier = element.value.get("identifier") if isinstance(element.value, dict) else None
    if not isinstance(identifier, dict):
        return False
    if len(pieces) == 2 and pieces[0] != identifier.get("system", ""):
        return False
    return bool(pieces[-1] == identifier.get("value") or not pieces[-1])


def _target(text: str, base_url: str) -> Local | Remote | None:
    inner = text.removeprefix(f"{base_url}/")
    if found := _LOCAL.fullmatch(inner):
        return Local(found[1], found[2])
    if found := _REMOTE.fullmatch(text):
        return Remote(text.removesuffix(found["history"] or ""))
    if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", text) or re.search(r"\s", text):
        return None
    url, _, version = text.partition("|")
    return Remote(url.partition("#")[0], version.partition("#")[0])
