"""The rows of an Automerge document's log: what is loaded first, and what is given to it afterwards."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from weft._codecs.automerge.change import decode_change
from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft.documents.automerge.binding import contained, load_core, load_to_write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft._codecs.automerge.change import Decoded
    from weft.documents.automerge.binding import CoreDocument
    from weft.documents.automerge.history import ChangeNumbers

__all__ = ["load_rows", "sort_out"]

_log = logging.getLogger("weft.documents")


def load_rows(rows: Iterable[bytes]) -> tuple[CoreDocument | None, dict[bytes, bytes]]:
    """Load the saved documents among rows into one; gives it, and the chunks of changes by their hashes.

    Raises:
        RemoteProtocolError: A row is neither.
    """
    core: CoreDocument | None = None
    changes: dict[bytes, bytes] = {}
    for chunk in [chunk for row in rows for chunk in split_chunks(row)]:
        if chunk.kind != DOCUMENT:
            changes[chunk.hash] = chunk.data
            continue
        with contained("load the document"):
            if core is None:
                core = load_to_write(chunk.data)
            else:
                core.merge(load_core(chunk.data))
    return core, changes


def sort_out(
    changes: dict[bytes, bytes], core: CoreDocument, numbers: ChangeNumbers
) -> tuple[dict[bytes, Decoded], list[bytes]]:
    """Take out of a log's changes those that a document could not be read again with, and report them.

    Earlier versions have stored such changes. What is taken out depends on the order of the rows alone: it is
    the same at each load.

    Args:
        changes: By hash, in the order of the rows; left without them.
        core: What was loaded of the log.
        numbers: Of it.

    Returns:
        The other changes decoded, and the chunks that were taken out.
    """
    decoded = {name: decode_change(change) for name, change in changes.items()}
    numbers.learn(core)
    faults, _ = numbers.sort(decoded)
    if faults:
        reason = next(iter(faults.values()))
        _log.error("%d stored changes of an Automerge document are left out: %s", len(faults), reason)
    for name in faults:
        del decoded[name]
    return decoded, [changes.pop(name) for name in faults]
