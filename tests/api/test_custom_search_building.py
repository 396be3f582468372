"""Building of custom search parameters: told of, gone on with, and nothing lost meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fhir_server.interactions.custom.learning import Learner, Pace
from fhir_server.storage.embedded import EmbeddedStore
from fhir_server.storage.mongo import MongoStore
from fhir_server.storage.versions import Change, Version
from tests.support.builders import a_transaction, an_update
from tests.support.custom_parameters import a_parameter, built, listed
from tests.support.search_data import Resource
from tests.support.server import Server, Start

pytestmark = pytest.mark.anyio

NICK = a_parameter("nick", "Patient.name.where(use = 'nickname').given", type="string")
OTHER = a_parameter("photo-title", "Patient.photo.title", type="string")
THERE = 50


def a_nicked(id_: str, nick: str = "Bo") -> Resource:
    name = [{"use": "nickname", "given": [nick]}]
    return {"resourceType": "Patient", "id": id_, "name": name}


async def fill(server: Server, number: int = THERE) -> None:
    patients = (a_nicked(f"p{each:03}") for each in range(number))
    response = await server.post("", a_transaction(*map(an_update, patients)))
    assert response.status_code == 200, response.text


class Gate:
    """Lets batches of the building through, one for each `pass_`, until it is opened."""

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []
        """Ids of the resources that were indexed again."""
        self._passes = asyncio.Semaphore(0)
        self._open = asyncio.Event()

    def pass_(self, batches: int = 1) -> None:
        for _ in range(batches):
            self._passes.release()

    def open(self) -> None:
        self._open.set()

    async def index(
        self, learner: Learner, versions: Sequence[Version], original: Callable[..., Any]
    ) -> None:
        waiting = {asyncio.create_task(self._passes.acquire())}
        waiting |= {asyncio.create_task(self._open.wait())}
        _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        self.batches.append([version.id for version in versions])
        await original(learner, versions)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate, original = Gate(), Learner.index
    use_pace(monkeypatch, Pace(look=0.2, at_once=10, save=0.0))

    async def index(learner: Learner, versions: Sequence[Version]) -> None:
        if versions[0].type == "SearchParameter":  # what defines one is itself indexed by it
            await original(learner, versions)
        else:
            await gate.index(learner, versions, original)

    monkeypatch.setattr(Learner, "index", index)
    return gate


def use_pace(monkeypatch: pytest.MonkeyPatch, pace: Pace) -> None:
    monkeypatch.setattr("fhir_server.system.Pace", lambda: pace)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def until_told(server: Server, words: str) -> None:
    """Wait until searches by the nickname tell this."""
    async with asyncio.timeout(60):
        while not any(words in each for each in await outcome(server, "Patient?nick=bo")):
            await asyncio.sleep(0.02)


async def outcome(server: Server, query: str) -> list[str]:
    """The warnings of a search."""
    response = await server.get(query)
    assert response.status_code == 200, response.text
    return [
        issue["diagnostics"]
        for entry in response.json().get("entry", ())
        if entry["search"]["mode"] == "outcome"
        for issue in entry["resource"]["issue"]
        if (issue["severity"], issue["code"]) == ("warning", "incomplete")
    ]


async def test_a_search_by_a_part_built_one_tells_the_percentage(start: Start, gate: Gate) -> None:
    async with start() as server:
        await fill(server)
        await server.update(NICK)
        assert "0 %" in (await outcome(server, "Patient?nick=bo"))[0]
        gate.pass_(2)
        await until_told(server, "40 %")

        (words,) = await outcome(server, "Patient?nick=bo")
        assert words == (
            "The search parameter nick is being built: 40 % of what was stored before it came is "
            "indexed, so that matches may be missing."
        )
        assert await outcome(server, "Observation?subject:Patient.nick=bo") == [words]
        behind = [
            "Patient?_filter=nick eq bo",
            "Patient?_filter=not(gender eq x)and(nick eq bo)",
            "Observation?_filter=subject:Patient.nick eq bo",
            "Observation?subject:Patient._filter=nick eq bo",
            "Organization?_filter=_has:Patient:organization:nick eq bo",
            "Organization?_has:Patient:organization:_filter=nick eq bo",
            "Patient?nick=bo&_explain=true",
        ]
        for query in behind:
            assert await outcome(server, query) == [words], query
        assert await outcome(server, "Patient?_has:Observation:subject:status=final") == []
        assert await outcome(server, "Patient?name=bo&gender:missing=true") == []
        stated = await listed(server, "Patient", "nick")
        assert stated is not None
        assert stated["documentation"].splitlines() == [
            "Modifiers: :missing, :exact, :contains",
            "Being built: 40 % of what was stored before it came is indexed.",
        ]
        gate.open()
        await built(server, "Patient", "nick")
        assert await outcome(server, "Patient?nick=bo") == []
        assert await server.count("Patient?nick=bo") == THERE


async def test_what_refers_back_by_a_part_built_one_is_told_too(start: Start, gate: Gate) -> None:
    by_kin = "Patient.extension('http://example.org/kin').value.ofType(Reference)"
    async with start() as server:
        await fill(server, 1)
        await server.update(a_parameter("kin", by_kin, type="reference", target=["Patient"]))
        for source in ("Patient:kin", "Patient:*", "*"):
            (words,) = await outcome(server, f"Patient?_revinclude={source}")
            assert words.startswith("The search parameter kin is being built")
        assert await outcome(server, "Patient?_revinclude=Observation:*") == []
        gate.open()


async def test_no_write_is_decided_by_a_part_built_one(start: Start, gate: Gate) -> None:
    async with start() as server:
        await fill(server, 1)
        await server.update(NICK)

        create = await server.post("Patient", {"resourceType": "Patient"}, if_none_exist="nick=bo")
        delete = await server.delete("Patient?nick=bo")
        assert (create.status_code, delete.status_code) == (503, 503)
        assert "nick is being built" in create.json()["issue"][0]["diagnostics"]

        gate.open()
        await built(server, "Patient", "nick")
        create = await server.post("Patient", {"resourceType": "Patient"}, if_none_exist="nick=bo")
        assert create.status_code == 200
        assert await server.count("Patient") == 1


async def test_after_a_restart_it_goes_on_where_it_stopped(start: Start, gate: Gate) -> None:
    async with start() as server:
        await fill(server)
        await server.update(NICK)
        gate.pass_(2)
        await until_told(server, "40 %")
    gate.batches.clear()
    async with start(store=server.settings.store) as again:
        assert await outcome(again, "Patient?nick=bo") != []
        gate.open()
        await built(again, "Patient", "nick")

        assert sum(map(len, gate.batches)) == THERE - 20
        assert await again.count("Patient?nick=bo") == THERE
    async with start(store=server.settings.store) as third:
        assert await outcome(third, "Patient?nick=bo") == []


async def test_another_one_that_comes_meanwhile_is_built_too(start: Start, gate: Gate) -> None:
    async with start() as server:
        await fill(server)
        await server.update(NICK)
        gate.pass_(2)
        await until(lambda: len(gate.batches) == 2)
        await server.update(OTHER)
        titled = {"resourceType": "Patient", "id": "t", "photo": [{"title": "Bo"}]}
        await server.update(titled)
        gate.open()
        await built(server, "Patient", "nick")
        await built(server, "Patient", "photo-title")

        assert await server.count("Patient?nick=bo") == THERE
        assert await server.count("Patient?photo-title=bo") == 1


async def test_deleted_while_it_is_built_it_stays_away(start: Start, gate: Gate) -> None:
    async with start() as server:
        await fill(server)
        await server.update(NICK)
        gate.pass_(2)
        await until(lambda: len(gate.batches) == 2)
        await server.delete("SearchParameter/nick")
        gate.open()
        await asyncio.sleep(0.5)

        assert (await server.get("Patient?nick=bo")).status_code == 400
        await server.update(NICK)
        await built(server, "Patient", "nick")
        assert await server.count("Patient?nick=bo") == THERE


async def test_another_process_learns_of_it_and_of_its_end(start: Start) -> None:
    async with start() as one, start(store=one.settings.store) as other:
        await fill(one, 3)
        await one.update(NICK)
        await built(other, "Patient", "nick")
        await other.update(a_nicked("later"))
        assert await other.count("Patient?nick=bo") == 4
        assert await one.count("Patient?nick=bo") == 4

        await other.delete("SearchParameter/nick")
        async with asyncio.timeout(30):
            while (await one.get("Patient?nick=bo")).status_code != 400:
                await asyncio.sleep(0.1)


async def test_nothing_is_lost_of_a_process_that_has_not_learned_yet(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never looks by itself: only its right to write runs out now and then."""
    use_pace(monkeypatch, Pace(look=0.2))
    async with start() as one:
        use_pace(monkeypatch, Pace(look=3600, presence=3))
        async with start(store=one.settings.store) as other:
            written = 0

            async def write() -> None:
                nonlocal written
                while True:
                    await other.update(a_nicked(f"w{written}"))
                    written += 1
                    await asyncio.sleep(0.02)

            writing = asyncio.create_task(write())
            await until(lambda: written > 3)
            await one.update(NICK)
            await built(one, "Patient", "nick")
            before = written
            await until(lambda: written > before + 5)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

            assert await one.count("Patient?nick=bo") == await one.count("Patient?name=bo")


async def test_of_two_that_are_written_unseen_by_each_other_the_elder_counts(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_pace(monkeypatch, Pace(look=3600, presence=3600))
    async with start() as one, start(store=one.settings.store) as other:
        for server in (one, other):  # each has looked, and need not for an hour
            await server.update({"resourceType": "Patient", "id": "p", "gender": "male"})
        await one.update(a_parameter("own", "Patient.photo.title", type="string"))
        younger = a_parameter("own", "Patient.photo.url", type="uri", id="younger")
        await other.update(younger)
        photo = [{"title": "Bo", "url": "http://example.org/x"}]
        await other.update({"resourceType": "Patient", "id": "p", "photo": photo})

        assert await other.count("Patient?own=bo") == 1
        assert await other.count("Patient?own=http://example.org/x") == 0
        again = await other.put("SearchParameter/younger", younger)
        assert again.status_code == 422


@asynccontextmanager
async def slow_commits(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """Commits of what has `slow` in it wait, with their terms made, for the event."""
    released = asyncio.Event()
    for store in (EmbeddedStore, MongoStore):
        original = store.commit

        async def commit(
            self: Any, changes: Sequence[Change], guards: Any = (), original: Any = original
        ) -> None:
            if any(b"slow" in (change.version.content or b"") for change in changes):
                await released.wait()
            await original(self, changes, guards)

        monkeypatch.setattr(store, "commit", commit)
    yield released
    released.set()


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_commit_under_way_since_before_is_not_lost(
    start: Start, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    use_pace(monkeypatch, Pace(look=0.2))
    async with (
        slow_commits(monkeypatch) as released,
        start() as one,
        start(store=one.settings.store) as two,
    ):
        writer = (one, two)[processes - 1]
        await fill(writer, 3)
        slow = asyncio.create_task(writer.update(a_nicked("a-first", "slow bo")))
        await asyncio.sleep(0.3)
        await one.update(NICK)
        await asyncio.sleep(1.5)
        stated = await listed(one, "Patient", "nick")
        assert stated is not None
        assert "0 %" in stated["documentation"]

        released.set()
        await slow
        await built(one, "Patient", "nick")
        assert await one.count("Patient?nick=slow") == 1
        assert await one.count("Patient?nick=bo") == 3


async def test_a_commit_that_outlasts_the_right_to_write_is_indexed_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process that stood still: others wait for it no longer than its record lasts."""
    use_pace(monkeypatch, Pace(look=0.2))
    async with slow_commits(monkeypatch) as released, start() as one:
        use_pace(monkeypatch, Pace(look=3600, presence=1))
        async with start(store=one.settings.store) as other:
            slow = asyncio.create_task(other.update(a_nicked("a-first", "slow bo")))
            await asyncio.sleep(0.3)
            await one.update(NICK)
            await built(one, "Patient", "nick")
            assert await one.count("Patient?nick=slow") == 0

            released.set()
            await slow
            assert await one.count("Patient?nick=slow") == 1
