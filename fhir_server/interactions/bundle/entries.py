"""The entries of a batch or transaction as requests, each knowing its place.

https://hl7.org/fhir/R4/bundle.html#Bundle
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from fhir_server.errors import BadRequest, MalformedContent, TooLarge
from fhir_server.fhir.http_date import write_http_date
from fhir_server.fhir.primitives import is_valid
from fhir_server.fhir.temporal import span
from fhir_server.interactions.answering import preference, return_form
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Request, Resource

_CONDITIONS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Entry:
    index: int
    full_url: str
    """Empty when the entry has none."""
    request: Request
    url: str

    @property
    def what(self) -> str:
        """How messages speak of it: `POST Patient`."""
        return f"{self.request.method} {self.url.partition('?')[0]}".rstrip()

    @property
    def reads(self) -> bool:
        """Whether it only asks for something."""
        last = self.request.path[-1] if self.request.path else ""
        return self.request.method in {"GET", "HEAD"} or last == "_search" or last[:1] == "$"

    @property
    def root(self) -> str:
        """What a relative reference in it is relative to: its fullUrl without `Type/id`."""
        of_its_own = self.request.method == "PATCH"  # what a patch leaves as it was is of here
        if of_its_own or not self.full_url.startswith(("http://", "https://")):
            return ""
        return self.full_url.rsplit("/", 2)[0] + "/"

    @property
    def place(self) -> str:
        return f"Bundle.entry[{self.index}]"


def raw_entries(bundle: Resource, context: Context) -> Sequence[Any]:
    """The entries as sent, counted; TooLarge when there are more than the operator allows."""
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise MalformedContent("Bundle.entry must be a list.", expression=["Bundle.entry"])
    most = context.policy.bundle_entries
    if len(entries) > most:
        raise TooLarge(
            f"The Bundle has {len(entries)} entries; at most {most} are taken at once.",
            expression=["Bundle.entry"],
        )
    context.bundle_received(bundle["type"], len(entries))
    return entries


def preferences(request: Request) -> str:
    """What the bundle prefers, as each entry does; nothing is returned unless asked for."""
    form, handling = return_form(request, "minimal"), preference(request, "handling")
    return f"return={form},handling={handling or 'strict'}"


def entry_of(raw: Any, index: int, context: Context, prefer: str) -> Entry:
    """One entry as a request; BadRequest or MalformedContent says what it lacks."""
    place = f"Bundle.entry[{index}]"
    if not isinstance(raw, dict) or not isinstance(raw.get("request"), dict):
        raise MalformedContent(
            f"Entry {index} has no request with method and url.", expression=[f"{place}.request"]
        )
    asked = raw["request"]
    method, url = asked.get("method"), asked.get("url")
    if method not in _METHODS:
        raise BadRequest(
            f"Entry {index}: {str(method)[:20]!r} is not one of {', '.join(_METHODS)}.",
            expression=[f"{place}.request.method"],
        )
    if not isinstance(url, str):
        raise BadRequest(f"Entry {index} has no url.", expression=[f"{place}.request.url"])
    headers = {"prefer": prefer} | _conditions(asked, index)
    path, query = _split(url, index, context.base_url)
    full_url = raw.get("fullUrl")
    request = Request(method, path, query, headers, raw.get("resource"))
    return Entry(index, full_url if isinstance(full_url, str) else "", request, url)


def _conditions(asked: dict[str, Any], index: int) -> dict[str, str]:
    """The conditions of an entry as the headers they stand for."""
    headers = {}
    for element, name in _CONDITIONS.items():
        if element not in asked:
            continue
        value, expression = asked[element], [f"Bundle.entry[{index}].request.{element}"]
        if not isinstance(value, str):
            raise BadRequest(f"Entry {index}: {element} is not text.", expression=expression)
        if element == "ifModifiedSince":
            if not is_valid("instant", value):
                words = f"Entry {index}: {value[:40]!r} is not an instant."
                raise BadRequest(words, expression=expression)
            value = write_http_date(span(value).first)
        headers[name] = value
    return headers


def _split(url: str, index: int, base_url: str) -> tuple[list[str], list[tuple[str, str]]]:
    place = [f"Bundle.entry[{index}].request.url"]
    path, _, query = url.partition("?")
    if "://" in path:
        if not f"{path}/".startswith(f"{base_url}/"):
            raise BadRequest(
                f"Entry {index}: {url} is not at {base_url}; an entry's url is relative to it.",
                expression=place,
            )
        path = path.removeprefix(base_url)
    try:
        segments = [unquote(each, errors="strict") for each in path.strip("/").split("/") if each]
        return segments, parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest(
            f"Entry {index}: the url is not UTF-8, percent-encoded.", expression=place
        ) from None
