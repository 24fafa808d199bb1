"""`weft demo`, run as its users run it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.commands import weft
from support.node import node_missing
from support.serving import complaints
from weft.cli.demo import find_interop

if TYPE_CHECKING:
    import subprocess

ROWS = ['fido        "walnut"         true  "dog"', 'felix                 3.5          "cat"']


def _without_node(folder: Path) -> dict[str, str]:
    """An environment in which nothing is found but Python."""
    return {**os.environ, "PATH": str(folder)}


def _check_demo(done: subprocess.CompletedProcess[str], second: str) -> None:
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert any(line.startswith(f"{second} ") and 'sees pets/fido/species is "dog"' in line for line in lines)
    assert any(line.startswith("Python ") and "sees pets/fido/sold is true" in line for line in lines)
    assert f"Python and {second} now hold the same tables:" in lines
    table = lines[lines.index(f"Python and {second} now hold the same tables:") :]
    cells = [re.split(r"\s{2,}", line) for line in table]
    assert ["fido", '"walnut"', "true", '"dog"'] in cells
    assert ["felix", "3.5", '"cat"'] in cells
    assert ["polly", "41", '"parrot"'] in cells
    assert ["dog", '["woof", "grr"]'] in cells


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
def test_the_demo_has_a_javascript_peer_where_node_is() -> None:
    done = weft("demo")
    _check_demo(done, "JavaScript")


def test_the_demo_has_a_second_python_peer_where_node_is_not(tmp_path: Path) -> None:
    done = weft("demo", env=_without_node(tmp_path))
    assert "Node is not installed: the second peer is another Python peer." in done.stdout
    _check_demo(done, "Python 2")


def test_the_demo_says_when_the_packages_cannot_be_installed(tmp_path: Path) -> None:
    interop = tmp_path / "interop"
    interop.mkdir()
    (interop / "demo_peer.mjs").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in [("node", "#!/bin/sh\n"), ("npm", "#!/bin/sh\necho first\necho no network\nexit 1\n")]:
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    done = weft("demo", cwd=tmp_path, env={**os.environ, "PATH": f"{tools}:/bin:/usr/bin"})
    assert f"Installing the JavaScript packages in {interop}, once." in done.stdout
    assert "That failed (no network): the second peer is another Python peer." in done.stdout
    _check_demo(done, "Python 2")


def test_the_demo_fails_in_one_sentence_when_the_peer_does_not_come(tmp_path: Path) -> None:
    interop = tmp_path / "interop"
    for name in ("tinybase", "ws", "y-websocket", "yjs"):
        (interop / "node_modules" / name).mkdir(parents=True)
    (interop / "demo_peer.mjs").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "node").write_text("#!/bin/sh\nexit 3\n")
    (tools / "node").chmod(0o755)
    done = weft("demo", cwd=tmp_path, env={**os.environ, "PATH": f"{tools}:/bin:/usr/bin"})
    assert done.returncode == 1
    assert done.stderr == "weft demo: the JavaScript peer ended with exit code 3\n"


def test_the_folder_of_the_javascript_peer_is_looked_for_here_and_beside_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Path(__file__).parents[2] / "interop"
    monkeypatch.chdir(tmp_path)
    assert find_interop() == checkout
    (tmp_path / "interop").mkdir()
    assert find_interop() == checkout
    (tmp_path / "interop" / "demo_peer.mjs").write_text("")
    assert find_interop() == tmp_path / "interop"


def test_node_is_not_skipped_by_mistake() -> None:
    assert (node_missing() is None) <= (shutil.which("node") is not None)
