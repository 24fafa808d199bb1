"""``python -m fuzz.guided.engine TARGET ARGUMENT…``: libFuzzer with the coverage of weft's own code."""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

with atheris.instrument_imports(include=["weft"]):
    from fuzz.guided.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
