from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map, Text, get_update

from support.yupdates import honest_updates, numbered, yjs_updates
from support.ywriter import item, section, update as written
from weft._codecs.yjs.cut import cut_update
from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.joining import join_neighbours
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.merge import merge_updates
from weft._codecs.yjs.state import EMPTY_UPDATE, decode_state_vector
from weft._codecs.yjs.update import parse_update
from weft._codecs.yjs.verify import difference
from weft.documents import UpdateLog
from weft.documents.yjs import YDocument, create_doc
from weft.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable


def content(doc: Doc[Any]) -> dict[str, Any]:
    return {
        "text": str(doc.get("text", type=Text)),
        "list": doc.get("list", type=Array).to_py(),
        "map": doc.get("map", type=Map).to_py(),
    }


def apply_in_parts(doc: Doc[Any], parts: list[bytes]) -> None:
    """Apply the parts, and see to it that none of them has to wait for one after it."""
    for part in parts:
        spans = check_update(part)
        doc.apply_update(part)
        state = decode_state_vector(doc.get_state())
        assert {client: state[client] for client in spans} == spans.ends()
        assert get_update(part, doc.get_state())[0] == 0


def check_cut(doc: Doc[Any], since: bytes, max_bytes: int, into: Doc[Any] | None = None) -> list[bytes]:
    """Cut what a document says to a state vector, and apply it where that was asked."""
    update = doc.get_update(since)
    parts = cut_update(update, max_bytes)
    target = into or Doc()
    apply_in_parts(target, parts)
    assert decode_state_vector(target.get_state()) == decode_state_vector(doc.get_state())
    assert content(target) == content(doc)
    deleted = [parse_update(each.get_update()).deletes for each in (target, doc)]
    assert {client: sorted(found) for client, found in deleted[0].items()} == {
        client: sorted(found) for client, found in deleted[1].items()
    }
    return parts


def edit(doc: Doc[Any], rng: random.Random) -> None:
    text, values = doc.get("text", type=Text), doc.get("list", type=Array)
    cells = doc.get("map", type=Map)
    with doc.transaction():
        for _ in range(rng.randint(1, 3)):
            match rng.randrange(6):
                case 0:
                    text.insert(rng.randint(0, len(text)), rng.choice(["a", "world", "x" * 40]))
                case 1 if len(text) > 3:
                    at = rng.randrange(len(text) - 2)
                    del text[at : at + 2]
                case 2:
                    values.insert(rng.randint(0, len(values)), rng.choice([1, "two", [3], {"four": 4}]))
                case 3 if len(values):
                    del values[rng.randrange(len(values))]
                case 4:
                    cells[f"row{rng.randrange(4)}"] = Map({"cell": rng.random()})
                case _:
                    row = cells.get(f"row{rng.randrange(4)}")
                    if row is not None:
                        row[f"cell{rng.randrange(3)}"] = rng.choice([1, "s" * 30, None])


@pytest.mark.parametrize("seed", range(40))
def test_each_part_follows_on_from_those_before_it(seed: int) -> None:
    rng = random.Random(seed)
    docs: list[Doc[Any]] = [Doc(client_id=rng.getrandbits(32)) for _ in range(3)]
    states: list[tuple[bytes, bytes]] = [(b"\0", EMPTY_UPDATE)]
    for _ in range(60):
        doc = rng.choice(docs)
        if rng.random() < 0.4:
            doc.apply_update(rng.choice(docs).get_update(doc.get_state()))
        edit(doc, rng)
        if rng.random() < 0.1:
            states.append((doc.get_state(), doc.get_update()))
    for doc in docs:
        docs[0].apply_update(doc.get_update())
    for state, update in states:
        for max_bytes in (256, 400, 1000):
            into: Doc[Any] = Doc()
            into.apply_update(update)
            check_cut(docs[0], state, max_bytes, into)


def test_what_is_small_enough_is_left_as_it_is() -> None:
    for update in honest_updates():
        assert cut_update(update, len(update)) == [update]


@pytest.mark.parametrize("update", honest_updates())
def test_every_kind_of_content_comes_through(update: bytes) -> None:
    whole: Doc[Any] = Doc()
    whole.apply_update(update)
    in_parts: Doc[Any] = Doc()
    for part in cut_update(update, 256):
        check_update(part)
        in_parts.apply_update(part)
    assert in_parts.get_state() == whole.get_state()
    # Letter by letter: one of the values does not equal itself, and yrs gives keys in any order.
    shown = [sorted(str(parse_update(doc.get_update()))) for doc in (in_parts, whole)]
    assert shown[0] == shown[1]


def test_parts_are_no_larger_than_they_may_be() -> None:
    def fill(doc: Doc[Any]) -> None:
        cells = doc.get("map", type=Map)
        for number in range(5_000):
            cells[f"key {number}"] = number

    parts = check_cut(numbered(7, fill), b"\0", 1024)
    assert all(len(part) <= 1024 for part in parts)
    assert sum(len(part) > 900 for part in parts) >= len(parts) - 1


def joined(text: str) -> Callable[[Doc[Any]], None]:
    """Write in pieces what the binding joins to one struct."""

    def write(doc: Doc[Any]) -> None:
        root = doc.get("text", type=Text)
        for at in range(0, len(text), 100):
            root += text[at : at + 100]

    return write


@pytest.mark.parametrize("letters", ["a", "é", "漢", "😀", "a😀é漢"])
def test_a_text_that_outgrew_a_part_is_cut_between_its_characters(letters: str) -> None:
    doc = numbered(2**32 - 5, joined(letters * 2_000))
    assert len(parse_update(doc.get_update()).items) == 1
    parts = check_cut(doc, b"\0", 512)
    assert all(len(part) <= 512 for part in parts)
    # What others write within it, and what came between, follows on as ever.
    text = doc.get("text", type=Text)
    text.insert(600, "between")
    text.format(1_207, 1_807, {"bold": True})
    check_cut(doc, b"\0", 512)


def test_a_list_that_outgrew_a_part_is_cut_between_its_values() -> None:
    def fill(doc: Doc[Any]) -> None:
        doc.get("list", type=Array).extend([{"number": number, "x": [None]} for number in range(1_000)])

    doc = numbered(9, fill)
    assert len(parse_update(doc.get_update()).items) == 1
    assert all(len(part) <= 512 for part in check_cut(doc, b"\0", 512))


def test_one_value_that_is_too_large_is_a_part_of_its_own() -> None:
    def fill(doc: Doc[Any]) -> None:
        cells = doc.get("map", type=Map)
        for key, size in (("a", 10), ("b", 2_000), ("c", 10)):
            cells[key] = "x" * size
        doc.get("list", type=Array).extend([1, "y" * 3_000, 2])

    sizes = [len(part) for part in check_cut(numbered(9, fill), b"\0", 512)]
    assert [size > 512 for size in sizes] == [False, True, False, False, True, False]


def test_a_delete_set_that_is_too_large_is_cut() -> None:
    doc: Doc[Any] = Doc()
    for client in range(1, 40):
        theirs: Doc[Any] = Doc(client_id=client)
        theirs.apply_update(doc.get_update())
        theirs.get("text", type=Text).insert(0, "ab" * 200)
        doc.apply_update(theirs.get_update())
    text = doc.get("text", type=Text)
    for at in range(len(text) - 2, 0, -2):
        del text[at]
    parts = check_cut(doc, b"\0", 2_000)
    assert all(len(part) <= 2_000 for part in parts)
    assert sum(part[0] == 0 for part in parts) > 2


def test_a_document_may_hold_what_no_message_may() -> None:
    doc = numbered(9, lambda doc: doc.get("map", type=Map).update({"a": [[["x" * 500]]]}))
    strict = Limits(max_depth=2, max_string=100)
    with pytest.raises(Exception, match="not a usable update"):
        check_update(doc.get_update(), strict)
    assert len(cut_update(doc.get_update(), 256)) == 1


# What a log keeps and the binding is not given: content of long ago, hooks, values of JavaScript alone.
UNREAD = {
    "JSON": item(2, Writer().uint(300).raw(b'\x09undefined\x04"\xc3\xa9"' * 150).finish()),
    "values": item(8, Writer().uint(600).raw((b"\x7f\x7a" + b"\x01" * 8 + b"\x7d\x40") * 200).finish()),
    "hook": item(7, Writer().uint(5).string("hook " * 200).finish()),
    "embed": item(5, Writer().string('{"image": "%s"}' % ("x" * 900)).finish()),
    "format": item(6, Writer().string("bold" * 100).string('"' + "x" * 900 + '"').finish()),
    "subdocument": item(9, Writer().string("guid").raw(b"\x76\x01\x04meta\x77").string("x" * 900).finish()),
    "collected": b"\x00\x07",
}


def same_in_parts(update: bytes, max_bytes: int) -> list[bytes]:
    """Cut what the binding need not be able to read, and see to it that a log of the parts holds the same."""
    parts = cut_update(update, max_bytes)
    log, whole = UpdateLog(), UpdateLog.of([update])
    for part in parts:
        assert not log.add(part).held
    assert difference(whole.structs(), log.structs(), None) is None
    assert log.deletes() == whole.deletes()
    return parts


@pytest.mark.parametrize("kind", sorted(UNREAD))
def test_what_only_a_log_keeps_is_cut_as_well(kind: str) -> None:
    """A part begins with it, ends with it, and it is what is too large for one."""
    around = [item(4, Writer().string("a" * 150).finish()), item(8, b"\x01\x7a" + b"\xff" * 8)]
    for structs in ([UNREAD[kind]], [*around, UNREAD[kind], *around], [*around, UNREAD[kind]] * 3):
        deletes = Writer().uint(1).uint(9).uint(1).uint(0).uint(1).finish()
        parts = same_in_parts(written(section(9, 0, *structs), deletes=deletes), 256)
        assert len(parts) > 1 or structs == [UNREAD[kind]]
        if kind in {"JSON", "values"}:
            assert all(len(part) <= 256 for part in parts)


@pytest.mark.parametrize(
    "name", sorted(name for name, update in yjs_updates().items() if not UpdateLog.of([update]).held())
)
def test_every_kind_that_yjs_writes_is_the_same_in_parts(name: str) -> None:
    same_in_parts(yjs_updates()[name], 256)


def test_a_long_name_before_a_text_does_not_make_many_parts_of_it() -> None:
    update = written(section(9, 0, item(4, Writer().string("é" * 3_000).finish(), root="r" * 2_000)))
    assert len(same_in_parts(update, 1_000)) < 10


@pytest.mark.parametrize("is_joined", [False, True])
def test_a_cell_that_was_written_again_and_again_is_one_to_readers_of_each_part(*, is_joined: bool) -> None:
    """Joined, as a room is compacted that keeps what was deleted."""
    written_by, updates = create_doc(), list[bytes]()
    subscription = written_by.observe(lambda event: updates.append(event.update))
    cells, values = written_by.get("map", type=Map), written_by.get("list", type=Array)
    for number in range(8_000):
        cells["k"] = number
    for number in range(1_000):
        values.append(number)
        if number % 3:
            del values[0]
    written_by.unobserve(subscription)
    update = merge_updates(updates)
    max_bytes = 20_000 if is_joined else 80_000
    parts = cut_update(join_neighbours(update) if is_joined else update, max_bytes)
    assert len(parts) > 1
    assert max(map(len, parts)) <= max_bytes
    doc = create_doc()
    document = YDocument.of(doc)
    for part in parts:
        assert not document.apply(part, origin=None)
    assert content(doc) == content(written_by)
    assert doc.get_update() == written_by.get_update()


def test_a_key_has_a_value_between_the_parts() -> None:
    writer, reader = create_doc(), create_doc()
    cells, seen = writer.get("map", type=Map), reader.get("map", type=Map)
    cells["k"] = "first"
    reader.apply_update(writer.get_update())
    updates: list[bytes] = []
    subscription = writer.observe(lambda event: updates.append(event.update))
    for number in range(100):
        cells["k"] = number
    writer.unobserve(subscription)
    parts = cut_update(merge_updates(updates), 256)
    assert len(parts) > 5
    shown = []
    for part in parts:
        reader.apply_update(part)
        shown.append(seen["k"])
    assert shown == sorted(shown)
    assert shown[-1] == 99
