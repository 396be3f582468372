"""Which form the answer takes: Accept, _format, _pretty, Accept-Encoding.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fhir_server.errors import BadRequest, NotAcceptable

FHIR_JSON = "application/fhir+json"
_JSON = "application/json"
_OFFERED = {
    FHIR_JSON: FHIR_JSON,
    _JSON: _JSON,
    "text/json": _JSON,
    "application/*": FHIR_JSON,
    "*/*": FHIR_JSON,
    "json": FHIR_JSON,
}
"""What may be asked for, and what is answered."""
_VERSION = "4.0"
_LONGEST_KEPT = 200
"""Characters of a header that is remembered: nobody fills the memory with long ones."""


@dataclass(frozen=True, slots=True)
class Form:
    content_type: bytes
    pretty: bool = False


def form_of(accept: str | None, format_: str | None, pretty: str | None) -> Form:
    """The form of the answer; `_format` goes before Accept. NotAcceptable if we have none."""
    if len(accept or "") + len(format_ or "") + len(pretty or "") > _LONGEST_KEPT:
        return _form_of(accept, format_, pretty)
    return _kept_form_of(accept, format_, pretty)


def encoding_of(accept_encoding: str) -> str | None:
    """`zstd` or `gzip`, whichever the caller takes, zstd first; None for neither."""
    if len(accept_encoding) > _LONGEST_KEPT:
        return _encoding_of(accept_encoding)
    return _kept_encoding_of(accept_encoding)


def _form_of(accept: str | None, format_: str | None, pretty: str | None) -> Form:
    asked = format_.replace(" ", "+") if format_ else accept
    media_type = _chosen(asked) if asked else FHIR_JSON
    if media_type is None:
        raise NotAcceptable(
            f"This server answers in {FHIR_JSON}, version {_VERSION}, not in {asked!r}."[:300]
        )
    if pretty not in {None, "true", "false"}:
        raise BadRequest(f"_pretty is true or false, not {pretty!r}."[:200])
    return Form(f"{media_type};charset=utf-8".encode(), pretty == "true")


def _encoding_of(accept_encoding: str) -> str | None:
    taken = {coding for coding, quality, _ in _ranges(accept_encoding) if quality > 0}
    refused = {coding for coding, quality, _ in _ranges(accept_encoding) if quality == 0}
    for coding in ("zstd", "gzip"):
        if coding in taken or ("*" in taken and coding not in refused):
            return coding
    return None


_kept_form_of = lru_cache(maxsize=256)(_form_of)
_kept_encoding_of = lru_cache(maxsize=64)(_encoding_of)


def _chosen(accept: str) -> str | None:
    best, media_type = 0.0, None
    for name, quality, parameters in _ranges(accept):
        version = parameters.get("fhirversion", _VERSION)
        if name in _OFFERED and quality > best and version in {_VERSION, "4.0.1"}:
            best, media_type = quality, _OFFERED[name]
    return media_type


def _ranges(header: str) -> Sequence[tuple[str, float, dict[str, str]]]:
    """Each range of an Accept header: its name, its quality, its other parameters."""
    found = []
    for part in header.split(","):
        name, *rest = [piece.strip().lower() for piece in part.split(";")]
        pairs = (piece.partition("=") for piece in rest)
        parameters = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
        found.append((name, _quality(parameters.pop("q", "1")), parameters))
    return found


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
