"""Undo and redo of a Store that is shared: one's own edits are undone, for everybody; others' edits stay.

python examples/undo_shared_edits.py
"""

from __future__ import annotations

import json

from weft import Checkpoints, Store, YjsMirror, create_doc
from weft.documents import YDocument


def wire(source: YDocument, target: YDocument) -> None:
    """Bring what is edited in one document into the other."""

    def send(update: bytes, origin: object) -> None:
        if origin != "wire":
            target.apply(update, origin="wire")

    source.subscribe(send)


def show(what: str, store: Store) -> None:
    # A document's maps have no order, so received cells may stand in any.
    print(what, json.dumps(store.get_tables()["shapes"], sort_keys=True))


def main() -> None:
    ann, ben = Store(), Store()
    ann_doc, ben_doc = create_doc(), create_doc()
    with YjsMirror(ann, ann_doc), YjsMirror(ben, ben_doc):
        wire(YDocument.of(ann_doc), YDocument.of(ben_doc))
        wire(YDocument.of(ben_doc), YDocument.of(ann_doc))
        checkpoints = Checkpoints(ann)
        ann.set_row("shapes", "box", {"color": "red", "width": 10})
        checkpoints.add_checkpoint("drawn")
        ann.set_partial_row("shapes", "box", {"color": "blue", "width": 20})
        checkpoints.add_checkpoint("changed")
        ben.set_cell("shapes", "box", "color", "green")
        ben.set_cell("shapes", "circle", "color", "black")
        show("painted:", ann)
        # Ann's width is undone. The color is Ben's by now, and so is the circle.
        checkpoints.go_backward()
        show("undone: ", ben)
        checkpoints.go_forward()
        show("redone: ", ben)


if __name__ == "__main__":
    main()
