"""What a simulated storage gives back, also after a compaction."""

from __future__ import annotations

from pycrdt import Map

from weft.documents.yjs.document import YDocument, create_doc
from weft.testing.sim.disk import SimDisk


def test_rows_have_numbers_and_compaction_loses_nothing() -> None:
    disk = SimDisk()
    doc = create_doc()
    updates: list[bytes] = []
    YDocument.of(doc).subscribe(lambda update, _origin: updates.append(update))
    content = doc.get("m", type=Map)
    for number in range(7):
        content[f"k{number}"] = number
    assert disk.commit(updates[:3]) == 1
    assert disk.commit(updates[3:]) == 4
    assert disk.since(4).numbers == [5, 6, 7]
    disk.compact()
    # At the last number: a follower that was within what was compacted gets it.
    assert (list(disk.rows), disk.head) == ([7], 7)
    assert disk.since(5).rows == disk.updates
    again = create_doc()
    again.apply_update(disk.updates[0])
    assert again.get("m", type=Map).to_py() == {f"k{number}": float(number) for number in range(7)}
