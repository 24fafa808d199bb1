"""The tables of rooms in PostgreSQL, and the statements on them.

* ``weft_rooms``: ``head`` is the number of the last update, and ``absorbed`` how many of the numbers have no
  row any more since they were compacted: a room has ``head - absorbed`` rows. A room that was deleted, or
  renamed, keeps its name with ``deleted_at``. ``settings`` is JSON.
* ``weft_updates``: ``crc`` is the CRC-32 of the room's id in eight bytes, big end first, and the data. The
  data is not compressed: it hardly can be, and is read whole. No foreign key: rows are written by a statement
  that has locked their room, and a key would look that up for each of them.
* ``weft_quarantine``: rows that were set aside since they could not be read; they count as absorbed.
* ``weft_writers``: one row for each process that writes. With its last batch, so that after a lost connection
  it is known whether that was committed; and with an epoch, so that a statement of the lost connection which
  is still under way finds that it comes too late.

Numbers are in the order of commits, which those of a sequence would not be: an append locks its room, takes
the next numbers and inserts, in one statement. It locks several rooms in the order of their ids, as everybody
does.
"""

from __future__ import annotations

__all__ = [
    "ACCEPT_MISSING",
    "APPEND",
    "CONFIGURE",
    "DELETE_ABSORBED",
    "DELETE_ROOM",
    "DENIED_TABLES",
    "DISCARD",
    "END_WRITER",
    "FIRST_SINCE",
    "FORMAT",
    "FORMAT_OF_TABLES",
    "HEADS",
    "IDS",
    "MISSING_TABLES",
    "NEW_ROOMS",
    "NEW_WRITER",
    "NEXT_EPOCH",
    "OLD_WRITERS",
    "PROBE",
    "PUT_SNAPSHOT",
    "QUARANTINED",
    "RESTORE",
    "ROOMS",
    "SET_ASIDE",
    "SINCE",
    "TABLES",
]

FORMAT = "weft rooms, format 1"

TABLES = f"""
SELECT pg_advisory_xact_lock(2003134068);
CREATE TABLE IF NOT EXISTS weft_rooms (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  head bigint NOT NULL DEFAULT 0,
  absorbed bigint NOT NULL DEFAULT 0,
  settings text NOT NULL DEFAULT '{{}}',
  deleted_at timestamptz
) WITH (fillfactor = 70);
COMMENT ON TABLE weft_rooms IS '{FORMAT}';
CREATE TABLE IF NOT EXISTS weft_updates (
  room bigint NOT NULL,
  seq bigint NOT NULL,
  crc bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (room, seq)
);
ALTER TABLE weft_updates ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS weft_quarantine (
  room bigint NOT NULL,
  seq bigint NOT NULL,
  reason text NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (room, seq)
);
CREATE TABLE IF NOT EXISTS weft_writers (
  id uuid PRIMARY KEY,
  epoch bigint NOT NULL,
  batch bigint NOT NULL,
  bases bigint[] NOT NULL,
  seen timestamptz NOT NULL
) WITH (fillfactor = 50);
"""
FORMAT_OF_TABLES = "SELECT obj_description(to_regclass('weft_rooms'), 'pg_class')"

MISSING_TABLES = """
SELECT name FROM unnest('{weft_updates,weft_quarantine,weft_writers}'::text[]) AS needed (name)
WHERE to_regclass(name) IS NULL
"""
DENIED_TABLES = """
SELECT name FROM unnest('{weft_rooms,weft_updates,weft_quarantine,weft_writers}'::text[]) AS needed (name)
WHERE NOT (
  has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT')
  AND has_table_privilege(name, 'UPDATE') AND has_table_privilege(name, 'DELETE')
)
"""

OLD_WRITERS = "DELETE FROM weft_writers WHERE seen < now() - interval '30 days'"
NEW_WRITER = "INSERT INTO weft_writers VALUES ($1, 1, 0, '{}', now())"
# A writer of nobody's: what is written where a server is asked whether it can write.
PROBE = """
INSERT INTO weft_writers VALUES ('00000000-0000-0000-0000-000000000000', 0, 0, '{}', now())
ON CONFLICT (id) DO UPDATE SET seen = now()
"""
END_WRITER = "DELETE FROM weft_writers WHERE id = $1"
# Waits for the statement of a lost connection, if one is under way.
NEXT_EPOCH = """
UPDATE weft_writers SET epoch = epoch + 1, seen = now() WHERE id = $1 RETURNING epoch, batch, bases
"""

NEW_ROOMS = """
INSERT INTO weft_rooms (name) SELECT name FROM unnest($1::text[]) AS new (name) ORDER BY name
ON CONFLICT (name) DO NOTHING
"""
IDS = "SELECT name, id FROM weft_rooms WHERE name = ANY($1::text[]) AND deleted_at IS NULL"

# $1 writer, $2 epoch, $3 batch; for each room: $4 ids, $5 names, $6 how many updates; for each update: $7 its
# room's place, $8 its own among the room's, $9 checksum, $10 data. Gives for each room the number before its
# first, or NULL if it was deleted; no row if the epoch is over, and nothing was done.
APPEND = """
WITH guard AS (
  SELECT id FROM weft_writers WHERE id = $1 AND epoch = $2 FOR UPDATE
), input AS (
  SELECT * FROM unnest($4::bigint[], $5::text[], $6::int[]) WITH ORDINALITY AS input (id, name, count, at)
), locked AS (
  SELECT room.id, input.count, input.at FROM guard, weft_rooms AS room JOIN input USING (id)
  WHERE room.name = input.name AND room.deleted_at IS NULL
  ORDER BY room.id FOR UPDATE OF room
), heads AS (
  UPDATE weft_rooms AS room SET head = room.head + locked.count FROM locked WHERE room.id = locked.id
  RETURNING room.id, locked.at, room.head - locked.count AS base
), written AS (
  INSERT INTO weft_updates (room, seq, crc, data)
  SELECT heads.id, heads.base + new.seq, new.crc, new.data
  FROM unnest($7::int[], $8::int[], $9::bigint[], $10::bytea[]) AS new (at, seq, crc, data)
  JOIN heads USING (at)
), bases AS (
  SELECT array_agg(heads.base ORDER BY input.at) AS bases FROM input LEFT JOIN heads USING (at)
)
UPDATE weft_writers AS writer SET batch = $3, seen = now(), bases = bases.bases FROM guard, bases
WHERE writer.id = guard.id RETURNING writer.bases
"""

# Rooms and rows as of one moment, so that they can be compared.
SINCE = """
SELECT room.id, room.head, room.absorbed, room.settings, room.deleted_at IS NOT NULL,
  stored.seq, stored.crc, stored.data
FROM weft_rooms AS room LEFT JOIN weft_updates AS stored ON stored.room = room.id AND stored.seq > $2
WHERE room.name = $1 ORDER BY stored.seq
"""
# The same, as many rows as are read in one go: $3.
FIRST_SINCE = f"{SINCE} LIMIT $3"
# $1 room's id, $2 number of the row whose place a snapshot takes, $3 its checksum; $4 the snapshot's, $5 it.
PUT_SNAPSHOT = """
UPDATE weft_updates AS stored SET crc = $4, data = $5 FROM weft_rooms AS room
WHERE room.id = $1 AND room.deleted_at IS NULL AND stored.room = $1 AND stored.seq = $2 AND stored.crc = $3
"""
# $1 room's id, $2 the snapshot's number, $3 its checksum: as long as it is there; $4 numbers of the rows it
# stands for. No row if it is not.
DELETE_ABSORBED = """
WITH room AS (
  SELECT room.id FROM weft_rooms AS room JOIN weft_updates AS snapshot ON snapshot.room = room.id
  WHERE room.id = $1 AND room.deleted_at IS NULL AND snapshot.seq = $2 AND snapshot.crc = $3
  FOR UPDATE OF room, snapshot
), gone AS (
  DELETE FROM weft_updates AS stored USING room WHERE stored.room = room.id AND stored.seq = ANY($4::bigint[])
  RETURNING stored.seq
)
UPDATE weft_rooms AS of SET absorbed = absorbed + (SELECT count(*) FROM gone) FROM room WHERE of.id = room.id
"""
HEADS = """
SELECT name, id, CASE WHEN deleted_at IS NULL THEN head ELSE -1 END FROM weft_rooms
WHERE name = ANY($1::text[])
"""
# $1 room's name, $2 numbers, $3 what is wrong with each.
SET_ASIDE = """
WITH room AS (
  SELECT id FROM weft_rooms WHERE name = $1 AND deleted_at IS NULL FOR UPDATE
), gone AS (
  DELETE FROM weft_updates AS stored USING room, unnest($2::bigint[], $3::text[]) AS fault (seq, reason)
  WHERE stored.room = room.id AND stored.seq = fault.seq
  RETURNING stored.room, stored.seq, fault.reason, stored.data
), kept AS (
  INSERT INTO weft_quarantine SELECT * FROM gone
)
UPDATE weft_rooms AS of SET absorbed = absorbed + (SELECT count(*) FROM gone) FROM room WHERE of.id = room.id
"""
QUARANTINED = """
SELECT name, seq, reason, data FROM weft_quarantine JOIN weft_rooms AS room ON room.id = weft_quarantine.room
WHERE $1::text IS NULL OR name = $1 ORDER BY name, seq
"""
RESTORE = """
DELETE FROM weft_quarantine AS kept USING weft_rooms AS room
WHERE room.name = $1 AND kept.room = room.id AND kept.seq = $2 RETURNING kept.data
"""
DISCARD = """
DELETE FROM weft_quarantine
WHERE room = (SELECT id FROM weft_rooms WHERE name = $1) AND seq = ANY($2::bigint[])
"""
# $1 the id of a room that is locked. Gives how many rows it should have had, and how many there are.
ACCEPT_MISSING = """
WITH there AS (
  SELECT count(*) AS rows, coalesce(max(seq), 0) AS last FROM weft_updates WHERE room = $1
), before AS (
  SELECT head, absorbed FROM weft_rooms WHERE id = $1
)
UPDATE weft_rooms AS room
SET head = greatest(room.head, there.last), absorbed = greatest(room.head, there.last) - there.rows
FROM there, before WHERE room.id = $1 RETURNING before.head - before.absorbed - there.rows
"""
DELETE_ROOM = """
INSERT INTO weft_rooms (name, deleted_at) VALUES ($1, now())
ON CONFLICT (name) DO UPDATE
SET deleted_at = coalesce(weft_rooms.deleted_at, now()), absorbed = weft_rooms.head
RETURNING id
"""
CONFIGURE = """
INSERT INTO weft_rooms (name, settings) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET settings = $2 WHERE weft_rooms.deleted_at IS NULL
RETURNING id
"""
ROOMS = """
SELECT page.name, page.head, count(stored.seq), coalesce(sum(octet_length(stored.data)), 0)::bigint
FROM (
  SELECT id, name, head FROM weft_rooms
  WHERE name > $1 AND name >= $2 AND ($3::text IS NULL OR name < $3) AND deleted_at IS NULL
  ORDER BY name LIMIT $4
) AS page LEFT JOIN weft_updates AS stored ON stored.room = page.id
GROUP BY page.id, page.name, page.head ORDER BY page.name
"""
