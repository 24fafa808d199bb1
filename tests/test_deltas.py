"""Deltas: their arithmetic against strings, against itself, and against quill-delta under Node."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from typing import Any

import pytest

from support.node import INTEROP, node_missing
from weft import deltas
from weft.deltas import (
    apply,
    check,
    compose,
    from_cell,
    from_utf16,
    invert,
    smallest_edit,
    to_cell,
    to_utf16,
    transform,
    transform_offset,
    utf16_length,
)  # fmt: skip

PIECES = [
    "a", "bc", " ", "\n", "\r\n", "é", "e\u0301", "ش", "שלום", "\u200f", "한", "각", "\u1112\u1161\u11ab",
    "🙂", "👍🏽", "👩‍👩‍👧", "🇩🇪", "🇫🇷", "क्षि", "ก็", "\u0600",
]  # fmt: skip
EMBEDS: list[dict[str, Any]] = [{"image": "a.png"}, {"formula": {"x": 1}}]
FORMATS: list[dict[str, Any]] = [{"bold": True}, {"link": "x"}, {"bold": True, "size": 1}, {"bold": 1}]


def some_text(rng: random.Random, most: int = 8) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(most)))


def document(rng: random.Random) -> deltas.Delta:
    made: deltas.Delta = []
    for _ in range(rng.randrange(5)):
        operation: dict[str, Any] = {"insert": some_text(rng, 4) or rng.choice(EMBEDS)}
        if rng.random() < 0.4:
            operation["attributes"] = rng.choice(FORMATS)
        made.append(operation)
    return compose(made, [])


def borders(text: str) -> list[int]:
    return [to_utf16(text, index) for index in range(len(text) + 1)]


def text_of(delta: deltas.Delta) -> str:
    return "".join(op["insert"] if isinstance(op["insert"], str) else deltas.EMBED for op in delta)


def change(rng: random.Random, text: str) -> deltas.Delta:
    """Make a delta for a text, which cuts between code points."""
    places = borders(text)
    made: deltas.Delta = []
    at = 0
    while rng.random() < 0.7:
        kind = rng.randrange(4)
        if kind == 0:
            operation: dict[str, Any] = {"insert": some_text(rng, 4) or rng.choice(EMBEDS)}
            if rng.random() < 0.3:
                operation["attributes"] = rng.choice(FORMATS)
            made.append(operation)
        elif behind := [place for place in places if place > at]:
            length = rng.choice(behind[:4]) - at
            at += length
            if kind == 1:
                made.append({"delete": length})
            else:
                made.append({"retain": length})
                if kind == 3:
                    made[-1]["attributes"] = {**rng.choice(FORMATS), "italic": rng.choice([True, None])}
    return compose(made, [])


def test_offsets_go_both_ways() -> None:
    text = "a😀é👩‍👧b"
    assert [to_utf16(text, index) for index in range(len(text) + 1)] == [0, 1, 3, 4, 6, 7, 9, 10]
    for index in range(len(text) + 1):
        assert from_utf16(text, to_utf16(text, index)) == index
    assert utf16_length(text) == 10
    assert (to_utf16("abc", 3), from_utf16("abc", 3), utf16_length("")) == (3, 3, 0)


@pytest.mark.parametrize("offset", [-1, 2, 11])
def test_an_offset_outside_or_within_a_character_is_refused(offset: int) -> None:
    with pytest.raises(ValueError, match="between the two halves" if offset == 2 else "outside"):
        from_utf16("a😀é👩‍👧b", offset)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        to_utf16("ab", index)


@pytest.mark.parametrize(
    ("delta", "error"),
    [
        ("abc", TypeError),
        ({"insert": "a"}, TypeError),
        (["a"], TypeError),
        ([{"delete": True}], TypeError),
        ([{"retain": 1.0}], TypeError),
        ([{"insert": 1}], TypeError),
        ([{"insert": "a", "attributes": []}], TypeError),
        ([{"insert": "a", "attributes": {1: 2}}], TypeError),
        ([{"delete": 0}], ValueError),
        ([{"retain": -1}], ValueError),
        ([{"insert": "\ud800"}], ValueError),
        ([{}], ValueError),
        ([{"insert": "a", "delete": 1}], ValueError),
        ([{"insert": "a", "attribute": {}}], ValueError),
        ([{"delete": 1, "attributes": {"bold": True}}], ValueError),
    ],
)
def test_what_is_no_delta_is_refused(delta: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(delta)


def test_what_is_a_delta_passes() -> None:
    check([{"retain": 1, "attributes": {"bold": None}}, {"insert": {"image": "x"}}, {"delete": 2}])
    check(())


def test_applying_to_a_string() -> None:
    assert apply("héllo", [{"retain": 1}, {"insert": "😀"}, {"delete": 1}]) == "h😀llo"
    assert apply("ab", [{"insert": {"image": "x"}}]) == "\ufffcab"
    assert apply("ab", [{"retain": 2, "attributes": {"bold": True}}]) == "ab"
    # as Yjs does where an emoji is cut in two halves, each by itself
    assert apply("😀🙂", [{"retain": 1}, {"delete": 2}]) == "\ufffd\ufffd"
    assert apply("😀", [{"retain": 1, "attributes": {"b": 1}}]) == "\ufffd\ufffd"
    assert apply("😀", [{"retain": 1}, {"retain": 1}]) == "😀"
    for delta in ([{"retain": 3}], [{"delete": 3}]):
        with pytest.raises(ValueError, match="offset 3"):
            apply("é ", delta)


def test_what_no_cell_can_be_is_another_character_there() -> None:
    for text in ("", "a", "é", "\ufffc", "\ufffd", "\ufffd\ufffda", "\ufffc\ufffc", "a\ufffd"):
        cell = to_cell(text)
        assert from_cell(cell) == text
        assert cell[:1] != "\ufffd"
        assert cell != "\ufffc"
        assert (cell == text) == (text not in {"\ufffc", "\ufffd", "\ufffd\ufffda"})


def test_the_smallest_edit() -> None:
    assert smallest_edit("hello", "hello") == []
    assert smallest_edit("hello", "help") == [{"retain": 3}, {"insert": "p"}, {"delete": 2}]
    assert smallest_edit("", "a") == [{"insert": "a"}]
    assert smallest_edit("aa", "aaa") == [{"retain": 2}, {"insert": "a"}]
    # the halves, and the parts, of what a reader takes for one character stay together
    assert smallest_edit("🔴", "🟢") == [{"insert": "🟢"}, {"delete": 2}]
    assert smallest_edit("xe", "xe\u0301") == [{"retain": 1}, {"insert": "e\u0301"}, {"delete": 1}]
    assert smallest_edit("👍🏽!", "👍🏿!") == [{"insert": "👍🏿"}, {"delete": 4}]
    assert smallest_edit("🇩🇪🇫🇷", "🇪🇫🇷") == [{"insert": "🇪🇫🇷"}, {"delete": 8}]
    assert smallest_edit("👩‍👩‍👧", "👩‍👧") == [{"insert": "👩‍👧"}, {"delete": 8}]
    assert smallest_edit("각난", "각닫") == [{"retain": 1}, {"insert": "닫"}, {"delete": 1}]
    assert smallest_edit("a\r\nb", "a\nb") == [{"retain": 1}, {"insert": "\n"}, {"delete": 2}]


def test_arithmetic_of_random_changes() -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for round_ in range(1500):
        base = document(rng)
        text = text_of(base)
        a = change(rng, text)
        after_a = apply(text, a)
        b, c = change(rng, after_a), change(rng, text)
        said = f"seed {seed}, round {round_}: {base!r}\n{a!r}\n{b!r}\n{c!r}"
        for delta in (a, b, c):
            check(delta)
        assert text_of(compose(base, a)) == after_a, said
        assert apply(text, compose(a, b)) == apply(after_a, b), said
        assert compose(base, compose(a, b)) == compose(compose(base, a), b), said
        assert compose(compose(base, a), invert(a, base)) == base, said
        first = rng.random() < 0.5
        one = compose(a, transform(a, c, first=first))
        other = compose(c, transform(c, a, first=not first))
        assert compose(base, one) == compose(base, other), said
        new = rng.choice([after_a, some_text(rng)])
        edit = smallest_edit(text, new)
        assert apply(text, edit) == new, said
        offset = rng.choice(borders(text))
        for assoc in (-1, 0):
            assert 0 <= transform_offset(a, offset, assoc=assoc) <= utf16_length(after_a), said


PROGRAM = """
import Delta from 'quill-delta';
let text = '';
for await (const piece of process.stdin) text += piece;
const D = Delta.default ?? Delta;
const out = JSON.parse(text).map(([base, a, b, c, offset, first]) => [
    new D(a).compose(new D(b)).ops,
    new D(base).compose(new D(a)).ops,
    new D(a).invert(new D(base)).ops,
    new D(a).transform(new D(c), first).ops,
    new D(a).transformPosition(offset, first),
]);
process.stdout.write(JSON.stringify(out));
"""


@pytest.mark.skipif(node_missing() is not None, reason=str(node_missing()))
def test_the_arithmetic_is_quill_deltas() -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    cases: list[Any] = []
    for _ in range(1000):
        base = document(rng)
        text = text_of(base)
        a = change(rng, text)
        b, c = change(rng, apply(text, a)), change(rng, text)
        cases.append([base, a, b, c, rng.choice(borders(text)), rng.random() < 0.5])
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, "--input-type=module", "-e", PROGRAM],
        cwd=INTEROP, input=json.dumps(cases), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for case, theirs in zip(cases, json.loads(done.stdout), strict=True):
        base, a, b, c, offset, first = case
        ours = [
            compose(a, b),
            compose(base, a),
            invert(a, base),
            transform(a, c, first=first),
            transform_offset(a, offset, assoc=-1 if first else 0),
        ]
        # quill-delta leaves pieces apart that could be one, here and there
        assert ours[:4] == [compose(delta, []) for delta in theirs[:4]], f"seed {seed}: {case!r}"
        assert ours[4] == theirs[4], f"seed {seed}: {case!r}"
