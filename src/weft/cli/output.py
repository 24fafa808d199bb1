"""What a command says, and to whom, whatever became of the streams that it was started with."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

__all__ = ["open_standard_streams", "print_line", "progress", "say"]


def say(line: str = "") -> bool:
    """Print a line to the standard output; whether anybody can read it."""
    return print_line(line, sys.stdout)


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], object]]:
    """Show how far a work is, if somebody looks at the terminal; gives what is told of each step."""
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda steps: bar.advance(task, steps)


def open_standard_streams() -> None:
    """Have what was closed by the shell (``>&-``) lead nowhere: a socket would get the number of the stream.

    What is printed would go to a client then, and uvloop refuses to close it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def print_line(line: str, stream: TextIO | None) -> bool:
    """Print a line for whoever reads it; whether anybody can. That nobody does is no failure."""
    if stream is None:  # the process was started without it
        return False
    try:
        try:
            print(line, file=stream, flush=True)
        except UnicodeEncodeError:
            print(line.encode("ascii", "backslashreplace").decode(), file=stream, flush=True)
    except OSError:
        # A pipe whose reader has gone, a terminal that was closed, a full disk. Python tries to write the
        # rest when it ends, and would end with a failure.
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of a file
            os.dup2(nowhere.fileno(), stream.fileno())
        return False
    return True
