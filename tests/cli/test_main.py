"""The command line, run as its users run it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from support.commands import weft
from weft import cli


def test_the_version_is_the_package_s() -> None:
    done = weft("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"weft {version('weft')}\n", "")


def test_help_tells_what_there_is() -> None:
    done = weft("--help")
    assert done.returncode == 0
    assert "serve" in done.stdout
    assert "demo" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "weft: missing command (see weft --help)"),
        (["frobnicate"], "weft: no such command 'frobnicate'"),
        (
            ["serve", "--port", "x"],
            "weft serve: invalid value for '--port': 'x' is not a port number from 0 to 65535",
        ),
        (
            ["serve", "--port", "65536"],
            "weft serve: invalid value for '--port': '65536' is not a port number",
        ),
        (["serve", "--port", "-1"], "weft serve: invalid value for '--port': "),
        (["serve", "--port", "²"], "weft serve: invalid value for '--port': '²' is not a port number"),
        (["serve", "--frob"], "weft serve: no such option '--frob'"),
        (["serve", "--ho", "::1"], "weft serve: no such option '--ho'"),
        (
            ["serve", "--bridge", "a/../b"],
            "weft serve: invalid value for '--bridge': the room name has a dot segment",
        ),
        (["serve", "--bridge", ""], "weft serve: invalid value for '--bridge': the room name is empty"),
        (
            ["serve", "--origin", "example.com"],
            "weft serve: invalid value for '--origin': 'example.com' is not a web origin",
        ),
        (
            ["serve", "--max-message", "many"],
            "weft serve: invalid value for '--max-message': 'many' is not a size such as",
        ),
        (
            ["serve", "--max-message", "0"],
            "weft serve: invalid value for '--max-message': '0' is not a size such as",
        ),
        (
            ["serve", "--max-message", "1MK"],
            "weft serve: invalid value for '--max-message': '1MK' is not a size such as",
        ),
        (
            ["serve", "--max-documents", "0"],
            "weft serve: invalid value for '--max-documents': '0' is not a number from 1",
        ),
        (["serve", "extra"], "weft serve: got unexpected extra argument (extra)"),
        (["demo", "--port", "1"], "weft demo: no such option '--port'"),
    ],
)
def test_a_misused_line_is_one_sentence_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(says)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("missing", "command", "extra"),
    [
        ("click", "serve", "cli"),
        ("websockets", "serve", "server"),
        ("pycrdt", "demo", "server"),
        ("websockets", "demo", "server"),
    ],
)
def test_without_the_extra_it_says_what_to_install(missing: str, command: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None;"
        f"from weft.cli import main; sys.exit(main([{command!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"weft: {missing} is missing; install it with: pip install 'weft[{extra}]'\n"


def test_reading_the_line_loads_neither_asyncio_nor_an_extra() -> None:
    program = (
        "import sys; from weft.cli import main; main(['--version']);"
        "print([name for name in ('asyncio', 'pycrdt', 'websockets', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
