"""`fhir-server load`: files into a store or a server, with what failed told and the rest done.

Files go side by side, a few at a time; the bundles of one file go one after the other, so that
of two versions of a resource in it the later one stays.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table

from fhir_server.cli.arguments import settings_for
from fhir_server.cli.http_target import over_http
from fhir_server.cli.local_target import in_process
from fhir_server.cli.sources import Parcel, Source, Unreadable, find, read
from fhir_server.cli.tally import Tally
from fhir_server.cli.targets import Answer, Target
from fhir_server.observability import logs

_MOST_COMPLAINTS = 5
"""Different failures shown of one bundle, and warnings shown at the end."""


def run(paths: Sequence[Path], *, server: str | None, store: str | None) -> int:
    """Load everything under the paths; returns the exit code, 1 if something did not go in."""
    logs.configure("warning")
    console = Console(highlight=False, soft_wrap=True)
    loading = _Loading(console)
    began = perf_counter()
    target = over_http(server) if server else in_process(settings_for(store=store))
    asyncio.run(_load(loading, find(paths), target))
    _summarise(console, loading.tally, perf_counter() - began)
    return 1 if loading.tally.errors else 0


async def _load(
    loading: "_Loading", stages: list[list[Source]], opening: AbstractAsyncContextManager[Target]
) -> None:
    async with opening as target:
        await loading.everything(stages, target)


class _Loading:
    """One load on its way: the totals so far, and the bar that shows them."""

    def __init__(self, console: Console) -> None:
        self.tally = Tally()
        self._console = console
        self._began = perf_counter()
        self._bar = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[totals]}"),
            console=console,
            disable=not console.is_terminal,
        )

    async def everything(self, stages: list[list[Source]], target: Target) -> None:
        size = sum(source.size for stage in stages for source in stage)
        with self._bar:
            task = self._bar.add_task("", total=size, totals="")
            for stage in stages:
                waiting = iter(stage)
                async with asyncio.TaskGroup() as group:
                    for _ in range(target.in_flight):
                        group.create_task(self._files(waiting, target, task))

    async def _files(self, waiting: Iterator[Source], target: Target, task: TaskID) -> None:
        for source in waiting:
            self.tally.files += 1
            position = 0
            for piece in read(source):
                if isinstance(piece, Unreadable):
                    self._complain(self.tally.unreadable(piece))
                else:
                    await self._parcel(piece, target)
                self._bar.update(task, advance=piece.position - position, totals=self._totals())
                position = piece.position

    async def _parcel(self, parcel: Parcel, target: Target) -> None:
        """Send a bundle; halves of it when it is too large and only gathered."""
        answer = await _sent(parcel, target)
        if answer.status == 413 and parcel.is_gathered and len(parcel.bundle["entry"]) > 1:
            for half in parcel.halves():
                await self._parcel(half, target)
        else:
            self._complain(self.tally.answered(parcel, answer))

    def _complain(self, complaints: list[str]) -> None:
        for words in complaints[:_MOST_COMPLAINTS]:
            self._console.print(f"[red]failed[/] {escape(words)}")
        if len(complaints) > _MOST_COMPLAINTS:
            self._console.print(f"       and {len(complaints) - _MOST_COMPLAINTS} other failures")

    def _totals(self) -> str:
        tally = self.tally
        rate = tally.resources / (perf_counter() - self._began)
        return f"{tally.resources:,} resources, {rate:,.0f}/s, {tally.errors:,} errors"


async def _sent(parcel: Parcel, target: Target) -> Answer:
    """The answer to a bundle.

    Resources that were gathered go in one transaction, which is much faster. Only if that is
    refused do they go as a batch, each alone: a bad one stops no other.
    """
    if parcel.is_gathered:
        answer = await target.send({**parcel.bundle, "type": "transaction"})
        if answer.status == 413 or not 400 <= answer.status < 500:
            return answer
    return await target.send(parcel.bundle)


def _summarise(console: Console, tally: Tally, seconds: float) -> None:
    for words, count in tally.warnings.most_common(_MOST_COMPLAINTS):
        console.print(f"[yellow]warning[/] {escape(words)} ({count:,} times)")
    if len(tally.warnings) > _MOST_COMPLAINTS:
        console.print(
            f"        and {len(tally.warnings) - _MOST_COMPLAINTS} other kinds of warning"
        )
    table = Table("Type", "New", "Updated or there already")
    for column in table.columns[1:]:
        column.justify = "right"
    for type_ in sorted(tally.created | tally.present):
        table.add_row(type_, f"{tally.created[type_]:,}", f"{tally.present[type_]:,}")
    console.print(table)
    skipped = f" ({tally.skipped} without FHIR)" if tally.skipped else ""
    console.print(
        f"{tally.files:,} files{skipped}, {tally.resources:,} resources in {seconds:.1f} s,"
        f" {tally.resources / seconds:,.0f}/s, {tally.errors:,} errors"
    )
