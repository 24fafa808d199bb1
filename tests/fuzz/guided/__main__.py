"""``PYTHONPATH=tests python -m fuzz.guided TARGET``: coverage-guided fuzzing, by atheris.

``pip install --group fuzz`` installs that. What is found is kept in ``crashers/``, and tested from then on;
``--keep`` also keeps some of what has reached something new.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.guided.kept import CORPUS, CRASHERS, keep, kept
from fuzz.guided.targets import TARGETS, seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_BYTES = 4096  # of an input
_SLOW_S = 10  # that one input may take
_MEMORY_MB = 2048
_CORPUS_BYTES = 400  # of an input that is kept
_CORPUS_SIZE = 40  # that are kept of one run
_HASH = 40  # the length of the names that libFuzzer gives what has reached something new


def _engine(target: str, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "fuzz.guided.engine", target, *arguments], check=False, env=os.environ
    ).returncode


def _fuzz(target: str, seconds: int, *, is_kept: bool) -> int:
    with tempfile.TemporaryDirectory() as place:
        found, corpus = (Path(place, name) for name in ("found", "corpus"))
        for folder in (found, corpus):
            folder.mkdir()
        for number, data in enumerate([*seeds(target), *kept(CORPUS, target), *kept(CRASHERS, target)]):
            (corpus / f"{number}").write_bytes(data)
        code = _engine(
            target,
            str(corpus),
            f"-max_total_time={seconds}",
            f"-artifact_prefix={found}/",
            f"-max_len={_MOST_BYTES}",
            f"-timeout={_SLOW_S}",
            f"-rss_limit_mb={_MEMORY_MB}",
            "-print_final_stats=1",
        )
        crashers = [path.read_bytes() for path in found.iterdir()]
        if crashers:
            keep(CRASHERS, target, [*kept(CRASHERS, target), *crashers])
        if is_kept and not code:
            reached = [path.read_bytes() for path in corpus.iterdir() if len(path.name) == _HASH]
            small = sorted((data for data in reached if len(data) <= _CORPUS_BYTES), key=len)
            keep(CORPUS, target, [*kept(CORPUS, target), *small[:: 1 + len(small) // _CORPUS_SIZE]])
        return code or len(crashers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz; the exit status says whether something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.guided", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep a corpus")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.targets) - set(TARGETS)):
        parser.error(f"no target named {', '.join(unknown)}")
    if find_spec("atheris") is None:
        parser.error("atheris is missing: pip install --group fuzz")
    codes = [_fuzz(name, options.seconds, is_kept=options.keep) for name in options.targets or TARGETS]
    return int(any(codes))


if __name__ == "__main__":
    raise SystemExit(main())
