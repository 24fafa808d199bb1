"""Two Stores are edited apart, as on two laptops without a network, and merge when they meet.

No server, no event loop: an update is bytes, and how they travel is the program's affair.

    python examples/merge_offline_edits.py
"""

from __future__ import annotations

from weft import Store, YjsMirror, create_doc
from weft.documents import YDocument


def main() -> None:
    ada, ben = Store(), Store()
    ada_doc, ben_doc = create_doc(), create_doc()
    with YjsMirror(ada, ada_doc), YjsMirror(ben, ben_doc):
        # Both create the same table and the same row, and know nothing of each other.
        ada.set_row("tasks", "milk", {"text": "Buy milk", "done": False})
        ben.set_row("tasks", "milk", {"owner": "Ben"})
        ben.set_row("tasks", "bread", {"text": "Bake bread"})

        # They meet: each gives the other what it lacks.
        for_ada = ben_doc.get_update(ada_doc.get_state())
        for_ben = ada_doc.get_update(ben_doc.get_state())
        YDocument.of(ada_doc).apply(for_ada, origin="Ben")
        YDocument.of(ben_doc).apply(for_ben, origin="Ada")
        # What a merge made each of them add (a row that both created is healed) goes over in a second round.
        YDocument.of(ada_doc).apply(ben_doc.get_update(ada_doc.get_state()), origin="Ben")
        YDocument.of(ben_doc).apply(ada_doc.get_update(ben_doc.get_state()), origin="Ada")

        assert ada.get_content() == ben.get_content()
        for task in sorted(ada.to_dicts("tasks", row_id="id"), key=lambda task: str(task["id"])):
            print(dict(sorted(task.items())))


if __name__ == "__main__":
    main()
