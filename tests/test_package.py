"""The package as it is installed: what it exports, and what it ships."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import weft

ROOT = Path(__file__).resolve().parents[1]
# What programs may import from. Everything else is weft's own business and may move.
PUBLIC = [
    "weft",
    "weft.changes",
    "weft.cli",
    "weft.deltas",
    "weft.documents",
    "weft.errors",
    "weft.facade",
    "weft.limits",
    "weft.mergeable",
    "weft.mirrors",
    "weft.mirrors.automerge",
    "weft.mirrors.mergeable",
    "weft.mirrors.shapes",
    "weft.mirrors.yjs",
    "weft.notebook",
    "weft.persisters",
    "weft.persisters.postgres",
    "weft.persisters.sqlite",
    "weft.protocols",
    "weft.protocols.automerge_repo",
    "weft.protocols.awareness",
    "weft.protocols.tinybase",
    "weft.protocols.ysync",
    "weft.providers",
    "weft.server",
    "weft.server.storage",
    "weft.store",
    "weft.sync",
    "weft.testing",
    "weft.testing.persisters",
    "weft.testing.sim",
    "weft.testing.storage",
    "weft.values",
]
ALL = sorted(info.name for info in pkgutil.walk_packages(weft.__path__, "weft."))


def test_the_public_modules_are_there() -> None:
    assert set(PUBLIC) - {"weft"} <= set(ALL)
    assert not [name for name in PUBLIC if any(part.startswith("_") for part in name.split("."))]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_exported_name_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    exported = getattr(module, "__all__", None)
    assert exported is not None, f"{name} has no __all__"
    assert list(exported) == list(dict.fromkeys(exported)), "a name is exported twice"
    for export in exported:
        thing = getattr(module, export)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert thing.__doc__, f"{name}.{export} has no docstring"


@pytest.mark.parametrize("name", [name for name in ALL if not name.endswith("__main__")])
def test_every_module_says_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    for export in getattr(module, "__all__", ()):
        assert getattr(module, export, module) is not module, f"{name} has no {export}"


def test_the_types_are_shipped() -> None:
    assert (Path(weft.__file__).parent / "py.typed").is_file()


def test_the_metadata_is_what_pyproject_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = metadata.metadata("weft")
    assert installed["Version"] == project["version"]
    assert installed["License-Expression"] == project["license"]
    assert set(project["optional-dependencies"]) <= set(installed.get_all("Provides-Extra") or [])
    assert project["dependencies"] == []


def test_the_all_extra_names_every_extra_of_users() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    named = extras["all"][0].removeprefix("weft[").removesuffix("]").split(",")
    assert set(named) == set(extras) - {"all", "dev"}
