"""The garbage collector is paused for a block, and as it was after it."""

from __future__ import annotations

import gc

import pytest

from weft._support.collection import CollectionPaused


def test_it_runs_again_after_the_block_and_after_an_error() -> None:
    with CollectionPaused():
        assert not gc.isenabled()
        with CollectionPaused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), CollectionPaused():
        raise KeyError
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_so() -> None:
    gc.disable()
    try:
        with CollectionPaused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
