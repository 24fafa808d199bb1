"""The disk of a simulated server: what a crash leaves of it, and compaction."""

from __future__ import annotations

from pycrdt import Map

from weft.documents.yjs.document import YDocument, create_doc
from weft.testing.sim.server import SimDisk


def test_a_crash_leaves_what_was_synced_and_compaction_loses_nothing() -> None:
    disk = SimDisk()
    doc = create_doc()
    YDocument.of(doc).subscribe(lambda update, _origin: disk.append(update))
    content = doc.get("m", type=Map)
    for number in range(10):
        content[f"k{number}"] = number
        if number == 6:
            disk.sync()
    assert (disk.appended, disk.kept) == (10, 7)
    disk.crash()
    assert (disk.appended, disk.kept, len(disk.log)) == (7, 7, 7)
    disk.compact()
    assert len(disk.log) == disk.durable == 1
    assert disk.kept == 7
    again = create_doc()
    again.apply_update(disk.log[0])
    assert again.get("m", type=Map).to_py() == {f"k{number}": float(number) for number in range(7)}
