"""delete, and conditional delete of one or many. https://hl7.org/fhir/R4/http.html#delete

A deletion is a version like any other: history keeps what was there, and an update brings
the resource back. Deleting what is not there succeeds and changes nothing.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from fhir_server.errors import MultipleMatches, TooCostly
from fhir_server.interactions.answering import deleted
from fhir_server.interactions.context import Context, Decision
from fhir_server.interactions.preconditions import require_match
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.writing import Draft
from fhir_server.storage.query import Guard
from fhir_server.storage.versions import Version


async def delete(request: Request, context: Context) -> Decision:
    """Delete the resource of the URL, if it is there."""
    type_, id_ = request.path
    current = await context.repository.current(type_, id_)
    require_match(request, current)
    if current is None or current.deleted:
        what = f"There was no {type_}/{id_} to delete."
        return Decision(lambda _: deleted(request, current, what))
    draft = Draft(type_, id_, "DELETE", None, current)
    return Decision(
        lambda versions: deleted(request, versions[0], f"{type_}/{id_} deleted."), [draft]
    )


async def conditional_delete(request: Request, context: Context) -> Decision:
    """Delete what meets the criteria: one resource, or all of them where the operator allows it.

    One is deleted only while it still is the only match. Of all, who comes later comes later.
    """
    (type_,) = request.path
    context.vocabulary().require_built(type_, request.query)
    plan = await context.searching.criteria_plan(type_, request.query, context.repository)
    many = context.policy.conditional_delete == "many"
    most = context.policy.conditional_delete_most if many else 1
    page = await context.repository.find(replace(plan, limit=most + 1))
    found = page.versions
    if len(found) > most:
        _refuse(type_, most)
    for version in found:
        require_match(request, version)
    drafts = [Draft(type_, version.id, "DELETE", None, version) for version in found]
    what = f"{len(drafts)} {type_} resources deleted."

    def reply(versions: Sequence[Version]) -> Reply:
        return deleted(request, versions[0] if len(versions) == 1 else None, what)

    guards = [] if many else [Guard(plan, frozenset(version.id for version in found))]
    return Decision(reply, drafts, guards)


def _refuse(type_: str, most: int) -> None:
    if most > 1:
        raise TooCostly(f"More than {most} {type_} resources match; delete fewer at a time.")
    raise MultipleMatches(
        f"Several {type_} resources match, and this server deletes one at a time. "
        "Make the criteria more selective."
    )
