"""Replies as entries of a response bundle.

https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response
"""

from http import HTTPStatus
from typing import Any

from fhir_server.fhir import bundle
from fhir_server.fhir.temporal import instant
from fhir_server.interactions.answering import outcome_of, warnings_outcome
from fhir_server.interactions.preconditions import etag
from fhir_server.interactions.request import Reply, Resource, body_of


def response_entry(reply: Reply, base_url: str) -> bytes:
    """Status, location, etag, lastModified, outcome; the resource when the reply shows one."""
    answer: dict[str, Any] = {"status": f"{reply.status} {HTTPStatus(reply.status).phrase}"}
    version = reply.version
    if reply.location is not None:
        answer["location"] = f"{base_url}/{reply.location}"
    if version is not None:
        answer["etag"] = etag(version)
        answer["lastModified"] = instant(version.updated)
    outcome = _outcome(reply)
    if outcome is not None:
        answer["outcome"] = outcome
    body = body_of(reply) if reply.content is None or outcome is None else None
    full_url = f"{base_url}/{version.type}/{version.id}" if version and body else None
    return bundle.response_entry(answer, body, full_url)


def _outcome(reply: Reply) -> Resource | None:
    outcome = outcome_of(reply)
    if outcome is None and reply.warnings:
        return warnings_outcome(reply.warnings)
    return outcome
