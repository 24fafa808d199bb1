"""Hostile bytes and the binding: in a child process, because a signal there is a finding and not an end."""

from __future__ import annotations

import json
import resource
from typing import TYPE_CHECKING

import pytest

from support.fuzzing import child, fuzz_seed
from support.ywriter import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("target", "count", "often"), [("update", 20_000, "applied"), ("frame", 16_000, "taken")]
)
def test_no_mutated_bytes_crash_the_process_or_change_a_document_halfway(
    target: str, count: int, often: str, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    arguments = (target, fuzz_seed(target), str(count), str(case))
    result = json.loads(child("-m", "support.fuzz_binding", *arguments, case=case))
    assert result["wrong"] == [], result
    assert result["found"]["cases"] >= count
    assert result["found"]["refused"] > 50
    assert result["found"][often] > 1_000


APPLY = """
import json, resource, sys
from pycrdt import Doc
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
results = []
for text in json.load(open(sys.argv[2])):
    doc = Doc()
    try:
        doc.apply_update(bytes.fromhex(text))
        results.append("applied")
    except Exception as error:
        results.append(f"{type(error).__name__}: {error}")
    assert doc.get_update() == doc.get_update()
print(json.dumps(results))
"""


def apply_in_child(updates: list[bytes], tmp_path: Path, *, memory: int = 2 * 1024**3) -> list[str]:
    """What the binding says to updates that have not been past the guard."""
    program, data = tmp_path / "apply.py", tmp_path / "updates.json"
    program.write_text(APPLY)
    data.write_text(json.dumps([update.hex() for update in updates]))
    return list(json.loads(child(str(program), str(memory), str(data))))


def test_the_binding_refuses_strings_that_are_not_utf8_and_json_that_is_none(tmp_path: Path) -> None:
    # The guard leaves these to the binding; if that changes, the guard has to look at each string.
    bad = [b"\x02\xc3\x28", b"\x01\xff", b"\x03\xed\xa0\x80", b"\x04\xf5\x80\x80\x80", b"\x02\xc0\x80"]
    updates = []
    for text in bad:
        updates += [
            b"\x01\x01\x05\x00\x28\x01" + text + b"\x01k\x01\x7e\x00",  # root
            b"\x01\x01\x05\x00\x28\x01\x01r" + text + b"\x01\x7e\x00",  # key
            b"\x01\x01\x05\x00\x08\x01\x01r\x01\x77" + text + b"\x00",  # value
            b"\x01\x01\x05\x00\x08\x01\x01r\x01\x76\x01" + text + b"\x7e\x00",  # key in a value
            b"\x01\x01\x05\x00\x04\x01\x01r" + text + b"\x00",  # text
            b"\x01\x01\x05\x00\x05\x01\x01r" + text + b"\x00",  # embed
            b"\x01\x01\x05\x00\x06\x01\x01r" + text + b"\x04null\x00",  # name of a format
            b"\x01\x01\x05\x00\x06\x01\x01r\x01b" + text + b"\x00",  # value of a format
            b"\x01\x01\x05\x00\x07\x01\x01r\x03" + text + b"\x00",  # element
            b"\x01\x01\x05\x00\x09\x01\x01r" + text + b"\x76\x00\x00",  # guid
        ]
    updates += [
        b"\x01\x01\x05\x00\x05\x01\x01r" + text + b"\x00"
        for text in (b"\x01{", b"\x00", b"\x03NaN", b"\x02[]"[:2] + b"x")
    ]
    results = apply_in_child(updates, tmp_path)
    assert len(results) == len(updates)
    assert {result.partition(":")[0] for result in results} == {"ValueError"}


def test_what_the_guard_lets_pass_of_runs_fits_into_a_gigabyte(tmp_path: Path) -> None:
    from weft._codecs.yjs.guard import check_update
    from weft.errors import RemoteProtocolError

    longest = 64
    while True:
        data = run(longest * 2, b"\x01\x7d\x01")
        try:
            check_update(data)
        except RemoteProtocolError:
            break
        longest *= 2
    assert longest >= 2_000
    gigabyte = resource.getpagesize() * (1024**3 // resource.getpagesize())
    assert apply_in_child([run(longest, b"\x01\x7d\x01")], tmp_path, memory=gigabyte) == ["applied"]
