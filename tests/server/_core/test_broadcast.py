"""A room joined to the same room of another server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.servers import eventually, serving
from support.yclient import YClient
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from weft.server.ysync.room import Room


class Bridge:
    """Joins the rooms of two servers of this process, as a broker joins those of two machines."""

    def __init__(self) -> None:
        self.rooms: dict[str, list[Room]] = {}
        self.ends: dict[Room, Any] = {}

    async def join(self, room: Room) -> None:
        others = self.rooms.setdefault(room.name, [])
        for other in others:
            room.document.apply(other.document.diff(room.document.state_vector()), origin=self)

        def pass_on(update: bytes, origin: object) -> None:
            if origin is not self:
                for other in self.rooms[room.name]:
                    if other is not room:
                        other.document.apply(update, origin=self)

        self.ends[room] = room.document.subscribe(pass_on)
        others.append(room)

    async def leave(self, room: Room) -> None:
        self.ends.pop(room)()
        self.rooms[room.name].remove(room)


async def test_a_broadcast_joins_the_rooms_of_two_servers() -> None:
    bridge = Bridge()
    storages = [MemoryRoomStorage(), MemoryRoomStorage()]
    async with (
        serving(storage=storages[0], broadcast=bridge) as left,
        serving(storage=storages[1], broadcast=bridge) as right,
    ):
        async with YClient(left.url, "room") as one:
            await one.set(before=1)
            await one.flush()
            async with YClient(right.url, "room") as two:
                await two.wait_for(before=1)
                await two.set(x=2)
                await one.wait_for(x=2)
                await one.set(y=3)
                await two.wait_for(y=3)
                await two.flush()
        await eventually(lambda: bridge.rooms == {"room": []})
        assert len((await storages[1].load("room")).rows) == 3


async def test_a_broadcast_that_fails_refuses_and_leaves_no_room() -> None:
    class Failing:
        async def join(self, room: Room) -> None:
            raise OSError("no broker")

        async def leave(self, room: Room) -> None:
            raise OSError("no broker")

    async with serving(broadcast=Failing()) as server:
        async with YClient(server.url, "room") as client:
            assert await client.wait_closed() in {1011, 1013}
        assert len(server.rooms) == 0
