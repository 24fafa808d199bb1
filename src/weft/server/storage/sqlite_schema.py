"""The tables of a SQLite database of rooms, and how older ones become like them.

File format 2: ``rooms(id, name, crc, head, absorbed, settings, deleted, settings_crc)``,
``updates(seq, room, number, crc, data)`` and ``quarantine(room, number, reason, data)``.

* ``updates.number`` counts the updates of a room; ``updates.crc`` is the CRC-32 of the room's name in UTF-8,
  a zero byte and the data.
* ``rooms.head`` is the last number, and ``absorbed`` how many numbers have no row any more since they were
  compacted or set aside: a room has ``head - absorbed`` rows. ``crc`` is the CRC-32 of the id in decimal,
  a zero byte and the name. ``settings`` is JSON, and ``settings_crc`` its CRC-32, or NULL where it was never
  set; ``deleted`` is when the room was deleted, in seconds since 1970.

Format 1 had neither numbers nor what a room had. Its rows keep ``NULL`` for a number, and have the numbers
from 1 on in the order of ``seq``: to write them into the rows would be to write a large database anew, at its
first opening.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from weft._support.sqlite_file import STATE, Schema

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "APPLICATION_ID",
    "FORMAT",
    "QUARANTINED",
    "ROOMS",
    "add_what_is_newer",
    "bring_up_to_date",
    "has_quarantine",
    "has_settings_checksums",
    "name_checksum",
    "row_checksum",
    "settings_checksum",
]

APPLICATION_ID = 0x77656674  # "weft"
FORMAT = 2

_FIRST = """
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  crc INTEGER,
  head INTEGER NOT NULL DEFAULT 0,
  absorbed INTEGER NOT NULL DEFAULT 0,
  settings TEXT NOT NULL DEFAULT '{}',
  deleted INTEGER
);
CREATE TABLE updates (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  room INTEGER NOT NULL REFERENCES rooms,
  number INTEGER,
  crc INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE UNIQUE INDEX updates_of_room ON updates (room, number);
"""
_QUARANTINE = """
CREATE TABLE IF NOT EXISTS quarantine (
  room INTEGER NOT NULL REFERENCES rooms,
  number INTEGER NOT NULL,
  reason TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (room, number)
)
"""
QUARANTINED = """
SELECT name, number, reason, CAST(data AS BLOB) FROM quarantine JOIN rooms ON rooms.id = room
WHERE :name IS NULL OR name = :name ORDER BY name, number
"""
# By steps in the index, from one room to the next: a room may have many rows.
_ROOMS_OF_ROWS = """
WITH RECURSIVE found (room) AS (
  SELECT min(room) FROM updates UNION ALL
  SELECT (SELECT min(room) FROM updates WHERE room > found.room) FROM found WHERE found.room IS NOT NULL
)
SELECT room FROM found WHERE room IS NOT NULL
"""
_FROM_1 = """
ALTER TABLE rooms ADD COLUMN crc INTEGER;
ALTER TABLE rooms ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN absorbed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE rooms ADD COLUMN deleted INTEGER;
ALTER TABLE updates ADD COLUMN number INTEGER;
UPDATE rooms SET head = (SELECT count(*) FROM updates WHERE room = rooms.id);
DROP INDEX updates_of_room;
CREATE UNIQUE INDEX updates_of_room ON updates (room, number);
"""


def add_what_is_newer(db: sqlite3.Connection) -> None:
    """Add what came after format 2, and an older weft does not miss. In a transaction of the caller's."""
    db.execute(_QUARANTINE)
    db.execute(STATE)
    db.execute("INSERT OR IGNORE INTO state VALUES (1, 0)")
    if not has_settings_checksums(db):
        db.execute("ALTER TABLE rooms ADD COLUMN settings_crc INTEGER")


def has_settings_checksums(db: sqlite3.Connection) -> bool:
    """Whether there is the column."""
    return any(column[1] == "settings_crc" for column in db.execute("PRAGMA table_info(rooms)"))


def has_quarantine(db: sqlite3.Connection) -> bool:
    """Whether there is the table."""
    return bool(db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'quarantine'").fetchone()[0])


def row_checksum(room: str, data: bytes) -> int:
    """What stands beside the data of an update."""
    return zlib.crc32(data, zlib.crc32(room.encode() + b"\0"))


def settings_checksum(settings: str) -> int:
    """What stands beside a room's settings."""
    return zlib.crc32(settings.encode())


def name_checksum(room_id: int, name: str) -> int:
    """What stands beside a room's name."""
    return zlib.crc32(b"%d\0" % room_id + name.encode())


def bring_up_to_date(db: sqlite3.Connection, version: int) -> None:
    """Make the tables, or make those of an older format like them. In a transaction of the caller's."""
    for statement in (_FIRST if version == 0 else _FROM_1).split(";"):
        db.execute(statement)
    rooms = db.execute("SELECT id, name FROM rooms").fetchall()
    db.executemany(
        "UPDATE rooms SET crc = ? WHERE id = ?", [(name_checksum(room, name), room) for room, name in rooms]
    )
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {FORMAT}")


def _damage(db: sqlite3.Connection) -> str:
    """Whether each room has the name that was written, in the table and in the index by which it is found."""
    db.execute("SELECT seq, room, number, crc, data FROM updates LIMIT 0")  # whether they are there at all
    rooms = db.execute("SELECT id, name, crc FROM rooms NOT INDEXED").fetchall()
    for room_id, name, crc in rooms:
        if not isinstance(name, str) or name_checksum(room_id, name) != crc:
            return f"the name of room number {room_id}, {name!r:.200}, does not match its checksum"
    index = "SELECT name, id FROM rooms INDEXED BY sqlite_autoindex_rooms_1 ORDER BY name"
    if {(name, room_id) for room_id, name, _ in rooms} != set(db.execute(index)):
        return "the index of the names does not match them; the command REINDEX of SQLite makes it anew"
    orphans = {room_id for (room_id,) in db.execute(_ROOMS_OF_ROWS)} - {room_id for room_id, *_ in rooms}
    if orphans:
        return f"there are rows of room number {orphans.pop()!r:.20}, which is not there"
    return ""


ROOMS = Schema(APPLICATION_ID, FORMAT, "server", bring_up_to_date, add_what_is_newer, _damage)
