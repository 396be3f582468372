"""Conditions in headers: If-Match, If-None-Match, If-Modified-Since, If-None-Exist.

https://hl7.org/fhir/R4/http.html#concurrency, https://hl7.org/fhir/R4/http.html#cread
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from fhir_server.errors import BadRequest, PreconditionFailed
from fhir_server.fhir.http_date import read_http_date
from fhir_server.interactions.request import Request
from fhir_server.search.clause import shown
from fhir_server.storage.versions import Version

_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"\s*')


def etag(version: Version) -> str:
    return f'W/"{version.number}"'


def require_match(request: Request, current: Version | None) -> None:
    """PreconditionFailed unless the current version is one that If-Match names."""
    header = request.headers.get("if-match")
    if header is None:
        return
    exists = current is not None and not current.deleted
    if header.strip() == "*":
        if not exists:
            raise PreconditionFailed("If-Match: * asks for a resource that exists; there is none.")
    elif current is None:
        raise PreconditionFailed(
            f"If-Match: {header} was asked for, but there is no such resource."
        )
    elif str(current.number) not in _tags("If-Match", header):
        raise PreconditionFailed(
            f"If-Match: {header} was asked for, but the current version is {etag(current)}. "
            "Read it again and apply your change to it."
        )


def require_none_match(request: Request, current: Version | None) -> None:
    """PreconditionFailed when a write says If-None-Match and the resource is there."""
    header = request.headers.get("if-none-match")
    if header is None or current is None or current.deleted:
        return
    if header.strip() == "*" or str(current.number) in _tags("If-None-Match", header):
        raise PreconditionFailed(
            f"If-None-Match: {header} was asked for, but {current.type}/{current.id} exists "
            f"in version {etag(current)}."
        )


def already_has(request: Request, current: Version) -> bool:
    """Whether the caller's copy is current, by If-None-Match or else If-Modified-Since."""
    header = request.headers.get("if-none-match")
    if header is not None:
        # RFC 9110 13.1.2: what is no tag matches none, and the resource is sent
        return header.strip() == "*" or str(current.number) in (_read_tags(header) or ())
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        moment = read_http_date(since, current.updated)
    except ValueError:  # RFC 9110 13.1.3: a date that is none is passed over
        return False
    return current.updated // 1000 * 1000 <= moment


def if_none_exist(request: Request) -> Sequence[tuple[str, str]] | None:
    """The criteria of a conditional create, with or without a `Type?`; None when it is not one.

    BadRequest when that is another type than the one to create.
    """
    header = request.headers.get("if-none-exist")
    if header is None:
        return None
    head, mark, query = header.strip().partition("?")
    if not mark or "=" in head:
        return parse_qsl(header.strip(), keep_blank_values=True)
    named, wanted = head.rpartition("/")[2], request.path[0]
    if named not in {"", wanted}:
        raise BadRequest(
            f"If-None-Exist looks for {shown(named)}, but a {wanted} is to be created;"
            " both must be of one type."
        )
    return parse_qsl(query, keep_blank_values=True)


def _tags(name: str, header: str) -> Sequence[str]:
    tags = _read_tags(header)
    if tags is None:
        raise BadRequest(f'{name}: {header} is not a version tag such as W/"3".')
    return tags


def _read_tags(header: str) -> Sequence[str] | None:
    """The tags of a list; None when it is no list of tags."""
    tags: list[str] = []
    place = 0
    while match := _TAG.match(header, place):
        tags.append(match[1])
        place = match.end()
        if place == len(header):
            return tags
        if header[place] != ",":
            break
        place += 1
    return None
