"""The binding gives back the changes that are made by hand, in the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.put_change import make_put
from weft.documents.automerge.made_changes import are_taken

if TYPE_CHECKING:
    import pytest

again = are_taken.__wrapped__


def test_the_binding_that_is_installed_takes_them() -> None:
    assert again()


def test_one_that_writes_other_bytes_or_refuses_them_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def other_key(*args: object) -> tuple[bytes, bytes]:  # what it overwrites is not there
        return make_put(*args[:5], "c1", *args[6:])  # type: ignore[arg-type,call-arg]

    with monkeypatch.context() as patch:
        patch.setattr("weft.documents.automerge.made_changes.make_put", other_key)
        assert not again()
    chunk = ChangeBuilder.chunk
    monkeypatch.setattr(ChangeBuilder, "chunk", lambda builder: chunk(builder)[:-1])
    assert not again()
