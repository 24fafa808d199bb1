"""Undo and redo of a Store that is shared: what is undone is undone for everybody.

python examples/undo_shared_edits.py
"""

from __future__ import annotations

from weft import Checkpoints, Store, YjsMirror, create_doc
from weft.documents import YDocument


def main() -> None:
    editor, reader = Store(), Store()
    editor_doc, reader_doc = create_doc(), create_doc()
    with YjsMirror(editor, editor_doc), YjsMirror(reader, reader_doc):
        # A wire between the two documents, in one direction.
        reading = YDocument.of(reader_doc)
        YDocument.of(editor_doc).subscribe(lambda update, _origin: reading.apply(update, origin="editor"))
        checkpoints = Checkpoints(editor)
        editor.set_cell("shapes", "box", "color", "red")
        checkpoints.add_checkpoint("red")
        editor.set_cell("shapes", "box", "color", "blue")
        checkpoints.add_checkpoint("blue")
        print("painted:", reader.get_cell("shapes", "box", "color"))
        checkpoints.go_backward()
        print("undone: ", reader.get_cell("shapes", "box", "color"))
        checkpoints.go_forward()
        print("redone: ", reader.get_cell("shapes", "box", "color"))


if __name__ == "__main__":
    main()
