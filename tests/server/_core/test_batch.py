from __future__ import annotations

from typing import TYPE_CHECKING

from weft.server._core.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_a_batch_is_encoded_once_for_everybody() -> None:
    calls: list[Sequence[bytes]] = []

    def encode(messages: Sequence[bytes]) -> bytes:
        calls.append(messages)
        return b"+".join(messages)

    batch = Batch([b"a", b"bc"])
    assert batch.size == 3
    assert calls == []
    first = batch.encoded(encode)
    assert first == b"a+bc"
    assert batch.encoded(encode) is first
    assert calls == [[b"a", b"bc"]]
