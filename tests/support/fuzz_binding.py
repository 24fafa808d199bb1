"""A child process that gives mutated bytes to what calls the binding: a crash must not take the tests along.

``python -m support.fuzz_binding TARGET SEED COUNT CASE_FILE``: each case is in CASE_FILE before it is tried,
so that the last one is known. Prints what happened as JSON.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pycrdt import Doc, Map

from support.fuzzing import cases, splits
from support.yupdates import honest_updates
from support.ywriter import key_item, run, section, update
from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.lib0 import Writer
from weft.documents.yjs.document import YDocument
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import YSyncSession
from weft.protocols.ysync.messages import (
    KEEP_ALIVE,
    awareness_message,
    denied_message,
    read_frame,
    step1_message,
    step2_message,
    update_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = 2 * 1024**3
_SLOW_S = 2.0
# Half of such an update has been applied when the binding says so, and there is no way back: the one known
# exception to all or nothing.
_HALF_APPLIED = "block parent"


def _base() -> bytes:
    doc: Doc[Any] = Doc(client_id=1)
    root = doc.get("root", type=Map)
    with doc.transaction():
        root["row"] = Map({"a": 1})
        root["b"] = "c"
    return doc.get_update()


class Subject:
    """A document with a past, and what can be seen of it."""

    _base = _base()

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc(client_id=999)
        self.doc.apply_update(self._base)
        self.hub = YDocument.of(self.doc)
        self.heard: list[bytes] = []
        self.hub.subscribe(lambda data, _origin: self.heard.append(data))
        self.awareness = Awareness(999)
        self.awareness.set_local_state({"name": "us"}, 0.0)
        self.awareness.apply(b"\x01\x07\x03\x02{}", now=0.0, origin="somebody")
        self.awareness.observe(lambda _change, _origin: self.heard.append(b"awareness"))

    def seen(self) -> tuple[object, ...]:
        """All that a failure must leave as it was."""
        content = json.dumps(self.doc.get("root", type=Map).to_py(), sort_keys=True, default=str)
        return (
            self.doc.get_state(),
            content,
            dict(self.awareness.states),
            self.awareness.encode(),
            tuple(self.heard),
        )


def try_update(data: bytes, found: Counter[str]) -> str | None:
    """Apply an update that passes the guard; say what is wrong, if anything is."""
    try:
        check_update(data)
    except RemoteProtocolError:
        found["guarded"] += 1
        return None
    subject = Subject()
    before = subject.seen()
    try:
        subject.hub.apply(data, origin=None)
    except RemoteProtocolError as error:
        found["refused"] += 1
        if _HALF_APPLIED in str(error):
            found["half applied"] += 1
        elif subject.seen() != before:
            return f"changed by an update that was refused: {error}"
    else:
        found["applied"] += 1
        # Of an update that waits, the part is told that does not.
        if subject.heard not in ([], [data]) and not subject.hub.is_waiting:
            return f"told of other bytes: {subject.heard}"
    subject.doc.get_update()
    return None


class End(Subject):
    """A subject with a session that has a connection and waits for two answers."""

    def __init__(self, role: Literal["client", "server"]) -> None:
        super().__init__()
        self.session = YSyncSession(self.hub, role=role, awareness=self.awareness)
        self.session.connected(0.0)
        self.session.request_flush(0.0)
        self.heard.clear()
        self.before = self.seen()

    def seen(self) -> tuple[object, ...]:
        return (*super().seen(), self.session.synced, self.session.next_tick(1.0))


_ends: dict[Literal["client", "server"], End] = {}


def try_frame(data: bytes, found: Counter[str]) -> str | None:
    """Give a frame to one of the ends in turn; say what is wrong, if anything is."""
    try:
        messages = len(read_frame(data, DEFAULT_LIMITS))
    except RemoteProtocolError:
        messages = 0
    role: Literal["client", "server"] = "client" if found["cases"] % 2 else "server"
    # What refuses is as good as new, which is what is tried here.
    end = _ends.pop(role, None) or End(role)
    try:
        effects = end.session.receive(data, 1.0)
    except RemoteProtocolError as error:
        found["refused"] += 1
        if messages <= 1 and _HALF_APPLIED not in str(error):
            if end.seen() != end.before:
                return f"changed by a frame that was refused: {error}"
            _ends[role] = end
    else:
        found["taken"] += 1
        if not messages:
            return f"taken though malformed: {effects}"
        end.session.tick(30.0)
        end.session.disconnected(30.0)
    return None


def _frames() -> list[bytes]:
    subject = Subject()
    small = [each for each in honest_updates() if len(each) < 400]
    states = subject.awareness.encode()
    leaving = Writer().uint(2).uint(7).uint(3).string("null").uint(999).uint(9).string("null").finish()
    frames = [
        step1_message(subject.hub.state_vector()),
        step1_message(b"\x00"),
        KEEP_ALIVE,
        awareness_message(states),
        awareness_message(leaving),
        awareness_message(
            Writer().uint(1).uint(8).uint(1).string('{"a":[1,{"b":"\\u00e9\\ud83d\\ude00"}]}').finish()
        ),
        denied_message("no"),
        b"\x03",
        b"\x66\x01\x02",
        b"\x03" + awareness_message(states),
        *(step2_message(each) for each in small),
        *(update_message(each) for each in small),
    ]
    return [*frames, frames[0] + frames[-1], frames[-1] + frames[3] + frames[1]]


def _tried(target: str, seed: str, count: int) -> Iterator[bytes]:
    if target == "update":
        corpus = [
            *honest_updates(),
            run(60, b"\x01\x7d\x01"),
            update(section(5, 0, key_item("a"), key_item("b"))),
        ]
        yield from cases(seed, [each for each in corpus if len(each) < 1_500], count)
    else:
        frames = _frames()
        yield from cases(seed, frames, count)
        for frame in frames:
            yield frame + frame
            yield frames[-1] + frame
            for head, tail in splits(frame[:120]):
                yield head
                yield tail


def main(target: str, seed: str, count: int, case_file: Path) -> dict[str, Any]:
    """Try the cases; give how often what happened, and the cases in which it should not have."""
    found: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    attempt = try_update if target == "update" else try_frame
    with case_file.open("wb", buffering=0) as last:
        for data in _tried(target, seed, count):
            last.seek(0)
            last.truncate()
            last.write(data)
            begin = time.perf_counter()
            complaint = attempt(data, found)
            if complaint is None and time.perf_counter() - begin > _SLOW_S:
                complaint = "takes too long"
            if complaint is not None:
                wrong.append((complaint, data.hex()))
            found["cases"] += 1
    return {"found": found, "wrong": wrong[:5], "wrong_count": len(wrong)}


if __name__ == "__main__":
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
