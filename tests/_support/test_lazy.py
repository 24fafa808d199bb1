from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

FACE = """
from weft._support.lazy import lazy_exports
own = 1
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {"inner": "A B", "broken": "C", "sub": "", "sub.deep": "D"},
    extra="most",
    extras={"broken": "one"},
    own="own",
)
"""


@pytest.fixture
def face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = tmp_path / "lazyface"
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").write_text(FACE)
    (folder / "inner.py").write_text("A = 1\nB = 2\n")
    (folder / "broken.py").write_text("import there_is_no_such_package.inside\nC = 3\n")
    (folder / "sub" / "__init__.py").write_text("")
    (folder / "sub" / "deep.py").write_text("import lazyface.gone\nD = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazyface"]:
        monkeypatch.delitem(sys.modules, name)
    return __import__("lazyface")


def test_modules_are_imported_when_a_name_of_theirs_is_asked_for(face: ModuleType) -> None:
    assert "lazyface.inner" not in sys.modules
    assert (face.A, face.B) == (1, 2)
    assert face.sub is sys.modules["lazyface.sub"]


def test_all_and_dir_name_what_is_there_before_it_is(face: ModuleType) -> None:
    assert face.__all__ == ["A", "B", "C", "D", "own", "sub"]
    assert {"A", "D", "own", "sub"} <= set(dir(face))


def test_a_missing_package_is_named_with_its_extra(face: ModuleType) -> None:
    with pytest.raises(ImportError) as caught:
        _ = face.C
    assert str(caught.value) == (
        "lazyface.C needs the package 'there_is_no_such_package': pip install 'lazyface[one]'"
    )
    assert caught.value.name == "there_is_no_such_package"


def test_a_module_of_ones_own_that_is_missing_is_no_matter_of_extras(face: ModuleType) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'lazyface\.gone'$"):
        _ = face.D


def test_what_is_not_exported_is_no_attribute(face: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"^module 'lazyface' has no attribute 'E'$"):
        _ = face.E


def test_without_an_extra_the_error_stays_what_it_is() -> None:
    get, _, _ = lazy_exports("weft", {"there_is_no_such_module": "F"})
    with pytest.raises(ModuleNotFoundError, match=r"weft\.there_is_no_such_module"):
        get("F")
