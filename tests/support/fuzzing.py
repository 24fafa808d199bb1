"""Mutated bytes, from a seed: the same cases on each run, others with WEFT_FUZZ_SEED."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["cases", "child", "fuzz_seed", "mutated", "splits"]

# Ends of ranges in lib0's formats, tags of its values, info bytes of Yjs's structs, and long integers.
_BYTES = bytes(
    [0, 1, 2, 5, 0x0A, 0x27, 0x28, 0x3F, 0x40, 0x7F, 0x80, 0x84, 0x88, 0xA8, 0xC8, 0xFF, *range(116, 128)]
)
_PIECES = [
    b"\xff" * 12,
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x00",
    b"\x80\x00",
    b"u\x01" * 20,
    b"v\x01\x01a" * 20,
    b"\xed\xa0\x80",
    b"\xc3",
    b'{"a":',
    b"null",
]


def fuzz_seed(name: str) -> str:
    """The seed of a test's cases; printed with a failure, as pytest shows what a test printed."""
    seed = f"{name}/{os.environ.get('WEFT_FUZZ_SEED', '1')}"
    print(f"fuzz seed: {seed}")
    return seed


def mutated(random_: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """One to four changes of one case."""
    result = bytearray(data)
    for _ in range(random_.choice((1, 1, 1, 2, 3, 4))):
        at = random_.randrange(len(result) + 1)
        match random_.randrange(9):
            case 0 if result:
                result[at % len(result)] ^= 1 << random_.randrange(8)
            case 1 if result:
                result[at % len(result)] = random_.choice(_BYTES)
            case 2 if result:
                result[at % len(result)] = (result[at % len(result)] + random_.choice((-1, 1))) % 256
            case 3:
                result[at:at] = random_.choice(_PIECES)
            case 4:
                del result[at : at + random_.choice((1, 1, 2, 8))]
            case 5:
                del result[at:]
            case 6:
                begin = random_.randrange(len(result) + 1)
                result[at:at] = result[begin : begin + random_.choice((1, 4, 16, 64))]
            case 7:
                other = random_.choice(corpus)
                begin = random_.randrange(len(other) + 1)
                result[at : at + random_.choice((0, 4))] = other[begin : begin + random_.choice((4, 32))]
            case _:
                result.insert(at, random_.choice(_BYTES))
    return bytes(result)


def cases(seed: str, corpus: Sequence[bytes], count: int) -> Iterator[bytes]:
    """The corpus itself, then mutations of it: small ones more often, since they are tried faster."""
    yield from corpus
    random_ = random.Random(seed)
    weights = [1 / (50 + len(data)) for data in corpus]
    for data in random_.choices(corpus, weights, k=count):
        yield mutated(random_, data, corpus)


def splits(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """A message cut in two at each place."""
    for at in range(len(data) + 1):
        yield data[:at], data[at:]


def child(*arguments: str, case: Path | None = None) -> str:
    """Run a program of the tests in a process of its own, as a signal there is a finding and not an end.

    Args:
        arguments: For the interpreter.
        case: A file in which the program leaves the case it is at; printed when it fails.

    Returns:
        What it printed.
    """
    tests = Path(__file__).resolve().parents[1]
    # A panic that is contained still prints its trace, which is long.
    environment = {**os.environ, "PYTHONPATH": str(tests), "RUST_BACKTRACE": "0"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tests,
        env=environment,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    if done.returncode and case is not None:
        print(f"last case: {case.read_bytes().hex()}")
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-2_000:]}"
    return done.stdout
