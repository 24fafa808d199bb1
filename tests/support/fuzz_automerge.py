"""A child process that gives an Automerge document damaged changes, messages and saved documents.

``python -m support.fuzz_automerge SEED COUNT CASE_FILE``: each case is in CASE_FILE before it is tried.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from support.automerge_chunks import honest_changes, refit
from support.fuzzing import cases
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import RemoteProtocolError

_MEMORY = 2 * 1024**3


def main(seed: str, count: int, case_file: Path) -> dict[str, Any]:
    """Try the cases; give how often what happened, and the cases in which it should not have."""
    saved, changes = honest_changes()
    found: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    document = AutomergeDocument(saved)
    told: list[object] = []
    document.subscribe(told.append)
    with case_file.open("wb", buffering=0) as last:
        for number, mutated in enumerate(cases(seed, [*changes, saved], count)):
            data = refit(mutated) if number % 8 else mutated
            last.seek(0)
            last.truncate()
            last.write(data)
            before = document.heads
            told.clear()
            try:
                if number % 16 == 1:
                    AutomergeDocument(data)
                elif number % 2:
                    document.apply_changes([data])
                else:
                    message = make_sync_message(before, [data])
                    document.receive_sync_message(document.new_sync_state(), message)
            except RemoteProtocolError:
                found["refused"] += 1
                if document.heads != before or told:
                    wrong.append(("changed by what was refused", data.hex()))
            else:
                found["taken"] += 1
                if (document.heads != before) != bool(told):
                    wrong.append(("told wrongly", data.hex()))
                if told:
                    found["applied"] += 1
                    try:
                        AutomergeDocument(document.save())
                    except RemoteProtocolError as error:
                        wrong.append((f"cannot be loaded: {error}", data.hex()))
                    document = AutomergeDocument(saved)
                    document.subscribe(told.append)
            found["cases"] += 1
    return {"found": found, "wrong": wrong[:5], "wrong_count": len(wrong)}


if __name__ == "__main__":
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
