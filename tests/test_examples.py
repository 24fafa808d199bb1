"""Each program in examples/ runs, says nothing on stderr, and prints what is written here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.serving import complaints

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PRINTS = {
    "bridge.py": """\
the Yjs client sees that felix is a cat
the Automerge client sees that fido is a brown and white dog
""",
    "merge_offline_edits.py": """\
{'id': 'bread', 'text': 'Bake bread'}
{'done': False, 'id': 'milk', 'owner': 'Ben', 'text': 'Buy milk'}
""",
    "shared_list.py": """\
milk is in the basket
the latecomer sees bread: {'loaves': 1}
the latecomer sees milk: {'done': True}
""",
    "undo_shared_edits.py": """\
painted: {"box": {"color": "green", "width": 20}, "circle": {"color": "black"}}
undone:  {"box": {"color": "green", "width": 10}, "circle": {"color": "black"}}
redone:  {"box": {"color": "green", "width": 20}, "circle": {"color": "black"}}
""",
}

NEED_NODE = {"bridge.py"}


def check(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == ""
    assert done.stdout == PRINTS[name]


@pytest.mark.parametrize("name", sorted(PRINTS.keys() - NEED_NODE))
def test_the_example_prints_what_it_should(name: str) -> None:
    check(name)


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize("name", sorted(NEED_NODE))
def test_the_example_with_javascript_peers_prints_what_it_should(name: str) -> None:
    check(name)


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PRINTS)
