from __future__ import annotations

import pytest

from support.foreign import in_thread
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.owned import Owned
from weft.documents.yjs.document import YDocument, create_doc
from weft.errors import DocumentClosedError, WrongThreadError


def test_a_document_is_the_listeners_until_the_last_has_gone() -> None:
    doc = create_doc()
    for document in (YDocument.of(doc), AutomergeDocument()):
        assert isinstance(document, Owned)
        ends = [document.subscribe(lambda *_: None) for _ in range(2)]
        assert document.is_mine
        assert not in_thread(lambda document=document: document.is_mine)  # type: ignore[misc]
        ends[0]()
        ends[0]()
        with pytest.raises(WrongThreadError, match="the document"):
            in_thread(document.check_owner)
        ends[1]()
        in_thread(document.check_owner)


def test_a_closed_document_tells_once_and_takes_nothing() -> None:
    document = AutomergeDocument()
    told: list[tuple[str, str]] = []
    end = document.on_close(lambda *args: told.append(args))
    document.on_close(lambda *args: told.append(args))
    end()
    document.close("room 'a'", "it was unloaded")
    document.close("room 'a'", "again")
    assert told == [("room 'a'", "it was unloaded")]
    for call in (document.check_owner, document.save, lambda: document.subscribe(lambda _: None)):
        with pytest.raises(DocumentClosedError, match="it was unloaded"):
            call()
