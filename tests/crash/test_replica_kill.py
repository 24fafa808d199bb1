"""Loggers that are killed at any moment, offline and online, on servers that are killed as well.

No reading that was on disk is lost, none is invented, and what is not pending is at the server. The long run,
``pytest tests/crash/test_replica_kill.py -m long``, has 300 rounds for each kind of document.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.replicas import KINDS, apply_pending, joined, mirrored
from support.serving import WeftServe
from weft.errors import SyncTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    from weft import Replica, Store

SUPPORT = Path(__file__).parents[1] / "support"
LOGGER = SUPPORT / "offline_logger.py"
COMPACTING = (str(SUPPORT / "crash_server.py"), "compacting")
POINTS = ("commit", "send", "compacting", "compacted", "start")
ROUNDS = 3


@dataclass
class Machine:
    """One replica's file, and what its loggers said."""

    path: Path
    kind: str
    url: str = ""
    started: set[str] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)
    points: tuple[str, ...] = (*POINTS, "", "", "")

    def run(self, server: str, name: str, seed: str, rng: random.Random, meanwhile: Iterator[None]) -> None:
        """Log until killed, by the logger itself or from here."""
        point = rng.choice(self.points)
        where = f"{server},{self.url}" if self.url else server
        arguments = [str(self.path), self.kind, where, name, seed]
        if point:
            arguments += [point, str(rng.randint(1, 60)) if point in {"commit", "send"} else "1"]
        process = subprocess.Popen(
            [sys.executable, str(LOGGER), *arguments],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(SUPPORT.parent)},
            text=True,
        )
        assert process.stdout is not None
        last = rng.randint(0, 300)
        with process:
            for at, line in enumerate(process.stdout):
                self.note(line.strip())
                if at == last // 2:
                    next(meanwhile, None)
                if at >= last:
                    process.kill()
                    break
            for line in process.stdout:
                self.note(line.strip())
        assert process.returncode == -9, process.returncode

    def opened(self) -> AbstractAsyncContextManager[tuple[Replica, Store]]:
        """What its file holds."""
        return mirrored(self.path, self.kind, **({"url": self.url} if self.url else {}))

    def note(self, line: str) -> None:
        """Take in what the logger says; the last line may be torn."""
        if line.endswith(tuple("0123")) and line[0] in "+=" and line.count(".") == 4:
            (self.started if line[0] == "+" else self.saved).add(line[1:])


@dataclass
class World:
    """The server and the machines."""

    folder: Path
    kind: str
    rng: random.Random
    server: WeftServe
    machines: list[Machine]
    rounds: int = 0

    def restart(self) -> None:
        """Kill the server, and start it again in its place."""
        port = self.server.port
        with self.server:
            self.server.kill()
        self.server = WeftServe(self.folder / "server.sqlite3", port=port, program=COMPACTING)

    async def play(self, rounds: int) -> None:
        for number in range(rounds):
            machine = self.rng.choice(self.machines)
            name = f"m.{self.machines.index(machine)}.r{number}"
            server = self.rng.choice(["-", self.server.url, self.server.url])
            meanwhile = iter([None]) if self.rng.random() > 0.3 else self._kills()
            await asyncio.to_thread(machine.run, server, name, f"{number}", self.rng, meanwhile)
            await self.look(machine)
            if self.rng.random() < 0.1:
                await self.restore(machine)
            if self.rng.random() < 0.1 and len(self.machines) < 4:
                self.copy(machine)

    def _kills(self) -> Iterator[None]:
        self.restart()
        yield

    async def look(self, machine: Machine) -> None:
        """Open what was left: all that was on disk is there, and nothing else."""
        async with machine.opened() as (replica, store):
            self._note_url(machine, replica)
            found = set(store.get_row_ids("readings"))
            assert machine.saved <= found, sorted(machine.saved - found)[:5]
            known = set().union(*(other.started for other in self.machines))
            assert found <= known, sorted(found - known)[:5]
            if found:
                assert found <= await self.at_server(machine, replica)

    def _note_url(self, machine: Machine, replica: Replica) -> None:
        if self.kind == "automerge":
            for other in self.machines:
                other.url = other.url or replica.url

    async def at_server(self, machine: Machine, of: Replica) -> set[str]:
        """The readings that the server has, with those that are pending."""
        pending = of.pending_content()
        new = self.folder / f"look{self.rounds}.weft"
        self.rounds += 1
        options = {"url": machine.url} if machine.url else {}
        async with mirrored(new, self.kind, **options) as (replica, store):
            async with joined(replica, self.server.url) as provider:
                if self.kind == "automerge" and not of.last_synced_at:
                    with contextlib.suppress(SyncTimeoutError):  # perhaps nobody has the document
                        await provider.wait_synced(0.5)
                else:
                    await provider.wait_synced(20)
            apply_pending(replica, pending)
            return set(store.get_row_ids("readings"))

    async def sync(self, machine: Machine) -> Store:
        """Have everything of a machine at the server, and everything of the server there."""
        async with machine.opened() as (replica, store):
            async with joined(replica, self.server.url) as provider:
                await provider.wait_synced(20)
                await provider.flush(20)
                assert not replica.pending
            return store

    async def restore(self, machine: Machine) -> None:
        """Put an older file in the place of a newer one, when the server has it all."""
        backup = machine.path.with_suffix(".backup")
        if backup.exists():
            await self.sync(machine)
            shutil.copyfile(backup, machine.path)
            machine.saved.clear()  # it is at the server, which is seen at the end
        else:
            async with machine.opened():
                pass
            shutil.copyfile(machine.path, backup)

    def copy(self, machine: Machine) -> None:
        """Go on with a copy and the original."""
        other = Machine(self.folder / f"copy{len(self.machines)}" / "farm.weft", self.kind, machine.url)
        other.path.parent.mkdir()
        for path in machine.path.parent.glob("farm.weft*"):
            shutil.copy(path, other.path.parent / path.name)
        other.saved = set(machine.saved)
        self.machines.append(other)


async def play(folder: Path, kind: str, seed: int, rounds: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(f"{kind} {seed}")
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    machines = [Machine(folder / name / "farm.weft", kind) for name in ("a", "b")]
    server = WeftServe(folder / "server.sqlite3", program=COMPACTING)
    world = World(folder, kind, rng, server, machines)
    if kind == "automerge":
        async with mirrored(machines[0].path, kind) as (replica, _):
            world._note_url(machines[0], replica)
    saved: set[str] = set()
    try:
        await world.play(rounds)
        for machine in world.machines:
            saved |= machine.saved
            await world.sync(machine)
        for _ in range(4):  # a mirror writes itself where tables were made at the same time
            contents = [(await world.sync(machine)).get_content() for machine in world.machines]
            if all(content == contents[0] for content in contents):
                break
        assert all(content == contents[0] for content in contents)
        assert saved <= set(contents[0][0]["readings"])
        assert len(saved) > rounds
    finally:
        with world.server:
            world.server.kill()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["yjs", "automerge", "mergeable"])
async def test_no_reading_is_lost_and_none_is_invented(tmp_path: Path, kind: str) -> None:
    await play(tmp_path, kind, seed=1, rounds=ROUNDS)


async def test_a_logger_that_says_too_early_that_it_is_on_disk_is_caught(tmp_path: Path) -> None:
    """The proof that the test above can fail."""
    machine = Machine(tmp_path / "farm.weft", "yjs", points=("lying",))
    await asyncio.to_thread(machine.run, "-", "m.0.r0", "1", random.Random(3), iter(()))
    async with mirrored(machine.path) as (_, store):
        assert not machine.saved <= set(store.get_row_ids("readings"))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(10))
async def test_no_reading_is_lost_in_300_rounds(tmp_path: Path, kind: str, seed: int) -> None:
    await play(tmp_path, kind, seed, rounds=30)
