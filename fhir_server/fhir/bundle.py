"""Bundles we answer with, assembled from stored bytes.

https://hl7.org/fhir/R4/bundle.html

A page is a join: the stored JSON of each resource is copied into place, never parsed.
"""

from collections.abc import Iterable, Mapping, Sequence

from fhir_server.fhir import json_format

Entries = list[bytes]
"""Pieces of JSON that make one or more entries, with the commas between these."""


def searchset(
    entries: Iterable[Entries], links: Mapping[str, str], total: int | None = None
) -> bytes:
    """A Bundle of type searchset; `total` is left out when it is not known."""
    return _bundle(b"searchset", entries, links, total)


def history(entries: Sequence[bytes], links: Mapping[str, str], total: int | None = None) -> bytes:
    """A Bundle of type history."""
    return _bundle(b"history", ([each] for each in entries), links, total)


def response(type_: str, entries: Sequence[bytes]) -> bytes:
    """A Bundle of type batch-response or transaction-response."""
    return _bundle(f"{type_}-response".encode(), ([each] for each in entries), {}, None)


def match_entry(full_url: str, resource: bytes, mode: bytes = b"match") -> Entries:
    """An entry of a searchset; `mode` is match, include or outcome."""
    head = b'{"fullUrl":"%b","resource":' % full_url.encode() if full_url else b'{"resource":'
    return [head, resource, b',"search":{"mode":"%b"}}' % mode]


def match_entries(
    url: str, ids: Sequence[str], resources: Sequence[bytes], mode: bytes = b"match"
) -> Entries:
    """The entries of at least one resource of one type, whose URL is given, by id and JSON."""
    head = b'{"fullUrl":"%b/' % url.encode()
    tail = b',"search":{"mode":"%b"}}' % mode
    pieces = [tail + b"," + head] * (4 * len(resources))
    pieces[0] = head
    pieces[1::4] = "\n".join(ids).encode().split(b"\n")  # all at once; an id has no line break
    pieces[2::4] = [b'","resource":'] * len(resources)
    pieces[3::4] = resources
    pieces.append(tail)
    return pieces


def history_entry(
    full_url: str, resource: bytes | None, request: Mapping[str, str], answer: Mapping[str, str]
) -> bytes:
    """An entry of a history; a deletion has no resource."""
    body = b'"resource":%b,' % resource if resource is not None else b""
    return b'{"fullUrl":"%b",%b"request":%b,"response":%b}' % (
        full_url.encode(),
        body,
        json_format.write(request),
        json_format.write(answer),
    )


def response_entry(
    answer: Mapping[str, object], resource: bytes | None = None, full_url: str | None = None
) -> bytes:
    """An entry of a batch or transaction response."""
    parts = []
    if full_url is not None:
        parts.append(b'"fullUrl":%b' % json_format.write(full_url))
    if resource is not None:
        parts.append(b'"resource":%b' % resource)
    parts.append(b'"response":%b' % json_format.write(answer))
    return b"{%b}" % b",".join(parts)


def _bundle(
    type_: bytes, entries: Iterable[Entries], links: Mapping[str, str], total: int | None
) -> bytes:
    """All in one join: what is stored is copied once."""
    pieces = [b'{"resourceType":"Bundle","type":"%b"' % type_]
    if total is not None:
        pieces.append(b',"total":%d' % total)
    if links:
        listed = [{"relation": relation, "url": url} for relation, url in links.items()]
        pieces.append(b',"link":%b' % json_format.write(listed))
    before = b',"entry":['
    for some in entries:
        pieces.append(before)
        pieces += some
        before = b","
    pieces.append(b"]}" if before == b"," else b"}")
    return b"".join(pieces)
