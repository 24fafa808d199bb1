"""What a replica's simulated disk gives back, and which file it takes for the one that was written."""

from __future__ import annotations

from weft.documents.yjs import create_doc
from weft.providers.replica.file import Row
from weft.providers.replica.meta import Meta, replace
from weft.testing.sim.replica_disk import ReplicaDisk

META = Meta("yjs", "5", token="00" * 16, session=1)


def _row(number: int) -> Row:
    return Row(number, True, create_doc().get_update())


def test_the_original_is_told_from_copies_and_older_states() -> None:
    disk, backup, copy = ReplicaDisk(1), ReplicaDisk(1), ReplicaDisk(2)
    assert disk.open() == ([], None, False)
    disk.begin(META)
    disk.write([_row(1)], None, ())
    assert disk.open() == ([_row(1)], META, True)
    disk.copy_to(backup, beside=True)
    disk.copy_to(copy, beside=True)
    assert not copy.open()[2]
    disk.write([_row(2)], None, ())
    backup.copy_to(disk, beside=False)
    assert disk.open() == ([_row(1)], META, False)
    backup.copy_to(disk, beside=True)  # a whole machine: nothing here can tell
    assert disk.open() == ([_row(1)], META, True)


def test_rows_are_replaced_but_for_those_that_are_kept() -> None:
    disk = ReplicaDisk(1)
    disk.begin(META)
    disk.write([_row(number) for number in range(1, 6)], None, ())
    noted = replace(META, accounted=4)
    disk.replace(_row(0).data, 4, {2}, noted)
    rows, meta, is_proved = disk.open()
    assert [(row.number, row.is_own) for row in rows] == [(2, True), (4, False), (5, True)]
    assert (meta, is_proved) == (noted, True)
