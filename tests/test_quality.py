"""The house form: what the linters, the type checker and a look at the committed text say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# In pieces, so that this file is no finding of its own.
_PLACES = "|".join(["work", "root", "home", "opt", "tmp", "Users", "farm", "var/folders"])
MACHINE_PATH = re.compile(rf"(?<![\w.~/)\]}}-])/(?:{_PLACES})/")
REGISTRY_HOST = re.compile(
    "|".join(
        [r"pypi\.{}".format("org"), r"registry\.npm{}\.".format("js"), r"python{}\.org".format("hosted")]
    )
)
BUILTIN_MARKERS = {
    "asyncio",
    "parametrize",
    "skip",
    "skipif",
    "timeout",
    "usefixtures",
    "xfail",
    "filterwarnings",
}


def _run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def _committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_ruff_finds_nothing() -> None:
    _run("ruff", "check", ".")


def test_ruff_would_change_nothing() -> None:
    _run("ruff", "format", "--check", ".")


@pytest.mark.timeout(300)
def test_mypy_strict_finds_nothing() -> None:
    _run("mypy")


def test_every_marker_is_declared() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    declared = {line.partition(":")[0] for line in options["ini_options"]["markers"]} | BUILTIN_MARKERS
    used = {
        (path.name, marker)
        for path in (ROOT / "tests").rglob("*.py")
        for marker in re.findall(r"pytest\.mark\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert {use for use in used if use[1] not in declared} == set()


def test_committed_text_names_no_machine_path_and_no_registry() -> None:
    findings = []
    files = _committed()
    assert len(files) > 20
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
                findings.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert findings == []


def test_the_finder_of_machine_paths_finds_them() -> None:
    for place in ("work/x", "root/y.py", "tmp/z"):
        for text in (f'path = "/{place}"', f"see /{place}", f"(/{place})", f"=/{place}"):
            assert MACHINE_PATH.search(text), text
    for text in ("docs/work/x", "./tmp/z", "https://example.com/home/x", "~/work/x"):
        assert not MACHINE_PATH.search(text), text


def test_no_module_of_the_product_is_over_the_ceiling() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in (ROOT / "src").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 450
    ]
    assert long == []
