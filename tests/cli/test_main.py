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
        ([], "weft: the following arguments are required: command (see weft --help)"),
        (["frobnicate"], "weft: argument command: invalid choice: 'frobnicate'"),
        (["serve", "--port", "x"], "weft serve: argument --port: 'x' is not a port number from 0 to 65535"),
        (["serve", "--port", "65536"], "weft serve: argument --port: '65536' is not a port number"),
        (["serve", "--port", "-1"], "weft serve: argument --port: "),
        (["serve", "--port", "²"], "weft serve: argument --port: '²' is not a port number"),
        (["serve", "--frob"], "weft: unrecognized arguments: --frob"),
        (["serve", "--ho", "::1"], "weft: unrecognized arguments: --ho ::1"),
        (["serve", "--bridge", "a/../b"], "weft serve: argument --bridge: the room name has a dot segment"),
        (["serve", "--bridge", ""], "weft serve: argument --bridge: the room name is empty"),
        (
            ["serve", "--origin", "example.com"],
            "weft serve: argument --origin: 'example.com' is not a web origin",
        ),
        (
            ["serve", "--max-message", "many"],
            "weft serve: argument --max-message: 'many' is not a size such as",
        ),
        (["serve", "--max-message", "0"], "weft serve: argument --max-message: '0' is not a size such as"),
        (
            ["serve", "--max-message", "1MK"],
            "weft serve: argument --max-message: '1MK' is not a size such as",
        ),
        (
            ["serve", "--max-documents", "0"],
            "weft serve: argument --max-documents: '0' is not a number from 1",
        ),
        (["serve", "extra"], "weft: unrecognized arguments: extra"),
        (["demo", "--port", "1"], "weft: unrecognized arguments: --port 1"),
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
    ("missing", "command"), [("websockets", "serve"), ("pycrdt", "demo"), ("websockets", "demo")]
)
def test_without_the_extra_it_says_what_to_install(missing: str, command: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None;"
        f"from weft.cli import main; sys.exit(main([{command!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"weft: {missing} is missing; install it with: pip install 'weft[server]'\n"


def test_reading_the_line_loads_neither_asyncio_nor_an_extra() -> None:
    program = (
        "import sys; from weft.cli import main; main(['--version']);"
        "print([name for name in ('asyncio', 'pycrdt', 'websockets', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
