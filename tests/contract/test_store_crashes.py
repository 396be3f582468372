"""A process that writes is killed at any moment; what it acknowledged is there, and whole."""

import asyncio
import json
import sys
from pathlib import Path
from random import Random

import pytest

from tests.support.store_invariants import (
    acknowledged_are_there,
    batches_are_whole,
    histories_are_dense,
    terms_agree_with_contents,
)
from tests.support.stores import opened

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).resolve().parents[2]
ROUNDS = 8
LONGEST_SECONDS = 0.15


async def killed_worker(
    address: str, seed: int, seconds: float, mode: str = "write_until_killed"
) -> list[tuple[str, str, int]]:
    """Kill a worker some time after its first commit; what it had acknowledged by then."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.store_worker", mode, address, str(seed)),
        stdout=asyncio.subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert process.stdout
    first = await process.stdout.readline()
    assert first, "the worker did not start"
    await asyncio.sleep(seconds)
    process.kill()
    output, _ = await process.communicate()
    whole_lines = (first + output).split(b"\n")[:-1]
    return [tuple(each) for line in whole_lines for each in json.loads(line)]


async def test_a_killed_process_leaves_every_acknowledged_write_whole(address: str) -> None:
    random = Random(2)
    acknowledged: set[tuple[str, str, int]] = set()
    for seed in range(ROUNDS):
        told = await killed_worker(address, seed, random.uniform(0, LONGEST_SECONDS))
        acknowledged.update(told)
        async with opened(address) as storage:
            await acknowledged_are_there(storage.store, told)
            await batches_are_whole(storage.store)
            await histories_are_dense(storage.store)
            await terms_agree_with_contents(storage.store)
    async with opened(address) as storage:
        await acknowledged_are_there(storage.store, acknowledged)


async def test_a_process_killed_while_it_only_creates_leaves_nothing_unfound(
    address: str,
) -> None:
    for seed, seconds in enumerate((0.0, 0.05, 0.3)):
        told = await killed_worker(address, 200 + seed, seconds, "create_until_killed")
        async with opened(address) as storage:
            await terms_agree_with_contents(storage.store)
            await acknowledged_are_there(storage.store, told)
            await batches_are_whole(storage.store)


async def test_a_process_killed_while_others_write_harms_nobody(address: str) -> None:
    seconds = (0.02, 0.06, 0.1)
    async with opened(address) as storage:
        told = await asyncio.gather(
            *(killed_worker(address, 100 + at, each) for at, each in enumerate(seconds))
        )
        for each in told:
            await acknowledged_are_there(storage.store, each)
    async with opened(address) as storage:
        await batches_are_whole(storage.store)
        await histories_are_dense(storage.store)
        await terms_agree_with_contents(storage.store)
