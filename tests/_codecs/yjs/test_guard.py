from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from support.fuzzing import cases, fuzz_seed, splits
from support.yupdates import MISREAD, honest_updates, yjs_updates
from support.ywriter import ANY_NULL, item, key_item, run, section, update
from weft._codecs.yjs import guard as _yguard, skip as _yskip
from weft._codecs.yjs.guard import MAX_CLOCK, Span, check_update
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.update import parse_update
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.node import SyncJsPeer

DEPTH = DEFAULT_LIMITS.max_depth


def verdict(data: bytes) -> dict[int, Span] | None:
    """What the guard says; ``None`` for a refusal. Anything else escapes."""
    try:
        return check_update(data)
    except RemoteProtocolError:
        return None


def spans_of(data: bytes) -> dict[int, Span]:
    """The spans as the parser sees them."""
    spans: dict[int, Span] = {}
    hole: dict[int, int] = {}
    for each in parse_update(data).items:
        needs = spans.get(each.client, Span(each.clock, each.clock)).needs
        if each.length == 0:
            continue
        if each.ref == 10:
            hole[each.client] = each.clock + each.length
        else:
            spans[each.client] = Span(hole.get(each.client, needs), each.clock + each.length)
    return spans


@pytest.mark.parametrize("data", honest_updates())
def test_an_honest_update_passes_with_the_spans_of_its_clients(data: bytes) -> None:
    assert check_update(data) == spans_of(data)


@pytest.mark.parametrize("name", sorted(MISREAD))
def test_content_that_yrs_reads_differently_is_refused(name: str) -> None:
    assert parse_update(yjs_updates()[name]).items
    with pytest.raises(RemoteProtocolError, match="misread"):
        check_update(yjs_updates()[name])


def test_a_hole_makes_the_update_need_what_lies_in_it() -> None:
    skip = b"\x0a\x05"
    structs = (key_item("a"), skip, key_item("b"), skip, skip, key_item("c"))
    assert check_update(update(section(1, 3, *structs))) == {1: Span(20, 21)}
    assert check_update(update(section(1, 3, *structs, skip))) == {1: Span(20, 21)}


def test_a_client_without_structs_has_no_span() -> None:
    assert check_update(update(section(1, 3, b"\x0a\x05"), section(2, 3, b"\x0a\x01"))) == {}
    with pytest.raises(RemoteProtocolError, match="second section"):
        check_update(update(section(1, 3, b"\x0a\x05"), section(1, 3)))


def test_f4_deep_values_are_refused_before_the_binding_recurses() -> None:
    nested = b"u\x01" * 13_000 + ANY_NULL
    data = update(section(1, 0, item(8, b"\x01" + nested)))
    assert len(data) > 26_000
    with pytest.raises(RemoteProtocolError, match="nested more than 64 deep"):
        check_update(data)


@pytest.mark.parametrize("opening", [b"u\x01", b"v\x01\x01k", b"u\x02\x7e"])
@pytest.mark.parametrize(
    "wrap", [lambda value: item(8, b"\x01" + value), lambda value: item(9, b"\x01g" + value)]
)
def test_values_may_be_nested_to_the_limit_and_no_deeper(opening: bytes, wrap: object) -> None:
    assert callable(wrap)
    assert verdict(update(section(1, 0, wrap(opening * DEPTH + ANY_NULL)))) == {1: Span(0, 1)}
    assert verdict(update(section(1, 0, wrap(opening * (DEPTH + 1) + ANY_NULL)))) is None
    shallow = Limits(max_depth=2)
    assert check_update(update(section(1, 0, wrap(opening * 2 + ANY_NULL))), shallow)
    with pytest.raises(RemoteProtocolError):
        check_update(update(section(1, 0, wrap(opening * 3 + ANY_NULL))), shallow)


def test_many_values_side_by_side_are_not_deep() -> None:
    values = (b"u\x01" * 3 + ANY_NULL) * 1_000
    assert verdict(update(section(1, 0, item(8, Writer().uint(1_000).raw(values).finish())))) == {
        1: Span(0, 1_000)
    }


@pytest.mark.parametrize("ref", [5, 6])
def test_json_text_may_be_nested_to_the_limit_and_no_deeper(ref: int) -> None:
    def data(text: str) -> bytes:
        writer = Writer()
        if ref == 6:
            writer.string("format")
        return update(section(1, 0, item(ref, writer.string(text).finish())))

    assert verdict(data("[" * DEPTH + "]" * DEPTH)) is not None
    assert verdict(data('{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1))) is None
    assert verdict(data("[" * 100_000)) is None
    assert verdict(data("[" + "[],{}," * 1_000 + "1]")) is not None
    assert verdict(data('"' + "[{" * 1_000 + '\\"[[' + '"')) is not None
    assert verdict(data('["\\\\"' + ",[" * DEPTH + "]" * (DEPTH + 1))) is None


BOMB = b"\xff" * 200_000
STRING = b"\x01r"


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"", id="clients"),
        pytest.param(b"\x01", id="structs"),
        pytest.param(b"\x01\x01", id="client"),
        pytest.param(b"\x01\x01\x05", id="clock"),
        pytest.param(b"\x01\x01\x05\x00\x00", id="length of a collected struct"),
        pytest.param(b"\x01\x01\x05\x00\x0a", id="length of a skip"),
        pytest.param(b"\x01\x01\x05\x00\x88", id="client of an origin"),
        pytest.param(b"\x01\x01\x05\x00\xc8\x05\x00\x05", id="clock of a right origin"),
        pytest.param(b"\x01\x01\x05\x00\x28\x01", id="root name"),
        pytest.param(b"\x01\x01\x05\x00\x28\x00\x05", id="clock of a parent"),
        pytest.param(b"\x01\x01\x05\x00\x28\x01" + STRING, id="key"),
        pytest.param(b"\x01\x01\x05\x00\x08\x01" + STRING, id="values"),
        pytest.param(b"\x01\x01\x05\x00\x08\x01" + STRING + b"\x01\x77", id="string value"),
        pytest.param(b"\x01\x01\x05\x00\x08\x01" + STRING + b"\x01\x7d", id="integer value"),
        pytest.param(b"\x01\x01\x05\x00\x08\x01" + STRING + b"\x01\x76", id="entries of an object"),
        pytest.param(b"\x01\x01\x05\x00\x08\x01" + STRING + b"\x01\x75", id="items of an array"),
        pytest.param(b"\x01\x01\x05\x00\x08\x01" + STRING + b"\x01\x74", id="bytes value"),
        pytest.param(b"\x01\x01\x05\x00\x01\x01" + STRING, id="deleted"),
        pytest.param(b"\x01\x01\x05\x00\x03\x01" + STRING, id="binary"),
        pytest.param(b"\x01\x01\x05\x00\x04\x01" + STRING, id="text"),
        pytest.param(b"\x01\x01\x05\x00\x05\x01" + STRING, id="embed"),
        pytest.param(b"\x01\x01\x05\x00\x06\x01" + STRING, id="name of a format"),
        pytest.param(b"\x01\x01\x05\x00\x06\x01" + STRING + b"\x00", id="value of a format"),
        pytest.param(b"\x01\x01\x05\x00\x07\x01" + STRING + b"\x03", id="element name"),
        pytest.param(b"\x01\x01\x05\x00\x09\x01" + STRING, id="guid"),
        pytest.param(b"\x00", id="clients of deletes"),
        pytest.param(b"\x00\x01", id="client of deletes"),
        pytest.param(b"\x00\x01\x05", id="ranges"),
        pytest.param(b"\x00\x01\x05\x01", id="start of a range"),
        pytest.param(b"\x00\x01\x05\x01\x00", id="length of a range"),
    ],
)
@pytest.mark.parametrize("bomb", [BOMB, b"\xff\xff\xff\xff\xff\xff\xff\x0f", b"\xff" * 10 + b"\x00"])
def test_f5_an_integer_out_of_range_is_refused_wherever_it_stands(before: bytes, bomb: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        check_update(before + bomb)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00", id="no delete set"),
        pytest.param(b"\x00\x00\x00", id="trailing byte"),
        pytest.param(update(section(1, 0, key_item("a")))[:-1], id="no delete set after structs"),
        pytest.param(update(section(1, 0, b"\x00\x00")), id="empty collected struct"),
        pytest.param(update(section(1, 0, b"\x0a\x00")), id="empty skip"),
        pytest.param(update(section(1, 0, item(1, b"\x00"))), id="empty deleted"),
        pytest.param(update(section(1, 0, item(2, b"\x01\x011"))), id="legacy JSON"),
        pytest.param(update(section(1, 0, item(11, b"\x00\x00\x00\x00"))), id="move of yrs"),
        pytest.param(update(section(1, 0, item(0x18, b"\x01\x7e"))), id="fifth bit of the content ref"),
        pytest.param(update(section(1, 0, b"\x80\x01\x00\x01")), id="collected struct with an origin"),
        pytest.param(update(section(1, 0, b"\x2a\x01")), id="skip with a key"),
        pytest.param(update(section(1, 0, item(7, b"\x05\x01h"))), id="XML hook"),
        pytest.param(update(section(1, 0, item(7, b"\x07"))), id="weak link of yrs"),
        pytest.param(update(section(1, 0, item(7, b"\x81\x00"))), id="type in two bytes"),
        pytest.param(update(section(1, 0, b"\x08\x02\x01r\x01\x7e")), id="neither root nor parent"),
        pytest.param(update(section(1, 0, item(8, b"\x01\x73"))), id="unknown value"),
        pytest.param(update(section(1, 0, key_item("a")), section(1, 1, key_item("b"))), id="client twice"),
        pytest.param(update(section(1, MAX_CLOCK, key_item("a"))), id="clock out of range"),
        pytest.param(update(section(1, 0)), id="no structs"),
        pytest.param(update(section(1, 0, item(8, b"\x00"), item(4, b"\x00"))), id="structs of no length"),
        pytest.param(update(section(1, 0, b"\x00\xff\xff\xff\xff\x07", b"\x00\x01")), id="lengths add up"),
        pytest.param(update(section(1, 0, b"\x0a\xff\xff\xff\xff\x0f")), id="skip over 32 bits"),
        pytest.param(
            update(section(1, 0, b"\x88\x05\xff\xff\xff\xff\x1f\x01\x7e")), id="origin over 32 bits"
        ),
        pytest.param(
            update(section(1, 0, item(8, b"\x01\x7d" + b"\xff" * 7 + b"\x3f"))), id="integer over 53 bits"
        ),
        pytest.param(update(section(1, 0, item(4, b"\x02\xc3\x28"))), id="text that is not UTF-8"),
        pytest.param(update(deletes=b"\x01\x05\x01\x00\x00"), id="empty range"),
        pytest.param(update(deletes=b"\x01\x05\x01\x00\x81\x00"), id="padded range"),
        pytest.param(update(deletes=b"\x01\x05\x01\x01\xff\xff\xff\xff\x07"), id="range out of range"),
    ],
)
def test_a_malformed_update_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="not a usable update"):
        check_update(data)


def test_a_string_over_the_limit_is_refused() -> None:
    limits = Limits(max_string=100)
    for content in (
        b"\x01\x77" + Writer().string("x" * 101).finish(),
        b"\x01v\x01" + Writer().string("x" * 101).finish(),
    ):
        data = update(section(1, 0, item(8, content + ANY_NULL)))[:-1]
        with pytest.raises(RemoteProtocolError, match="101 bytes"):
            check_update(data, limits)
    with pytest.raises(RemoteProtocolError, match="101 bytes"):
        check_update(update(section(1, 0, item(4, Writer().string("x" * 101).finish()))), limits)
    with pytest.raises(RemoteProtocolError, match="101 bytes"):
        check_update(update(section(1, 0, key_item("k" * 101))), limits)


@pytest.mark.parametrize("flags", [0x80, 0xA0])
@pytest.mark.parametrize(
    ("content", "ref", "length"),
    [
        (b"\x01\x7d\x01", 8, 1),
        (b"\x02\x7e\x7f", 8, 2),
        (b"\x01u\x02\x7e\x7e", 8, 1),
        (b"\x03abc", 4, 3),
        (b"\x04\xf0\x9f\x98\x80", 4, 2),
    ],
)
def test_a_run_that_would_take_gigabytes_to_merge_is_refused(
    flags: int, content: bytes, ref: int, length: int
) -> None:
    assert verdict(run(100, content, ref=ref, flags=flags, length=length)) == {5: Span(0, 100 * length)}
    with pytest.raises(RemoteProtocolError, match="bytes to merge"):
        check_update(run(30_000, content, ref=ref, flags=flags, length=length))
    # The same without being neighbours is no run.
    assert verdict(run(30_000, content, ref=ref, flags=flags, length=length + 1)) is not None


def test_a_long_struct_behind_a_run_counts_as_often_as_it_is_copied() -> None:
    structs = [item(8, b"\x01\x7e")]
    structs += [Writer().byte(0x88).uint(5).uint(clock).raw(b"\x01\x7e").finish() for clock in range(999)]
    values = Writer().uint(10_000).raw(ANY_NULL * 10_000).finish()
    assert verdict(update(section(5, 0, *structs))) is not None
    last = Writer().byte(0x88).uint(5).uint(999).raw(values).finish()
    assert verdict(update(section(5, 0, *structs, last))) is None


def test_overwriting_each_others_cell_in_turns_is_no_run() -> None:
    def half(client: int, other: int) -> bytes:
        structs = [
            Writer().byte(0xA8).uint(other).uint(clock).raw(b"\x01\x7d\x01").finish()
            for clock in range(30_000)
        ]
        return section(client, 1, *structs)

    assert verdict(update(half(5, 6), half(6, 5))) == {5: Span(1, 30_001), 6: Span(1, 30_001)}


def test_overwriting_all_cells_in_order_is_no_run() -> None:
    # The clocks differ by 129, so that their lowest bits look like neighbours'.
    structs = [
        Writer().byte(0xA8).uint(5).uint(clock).raw(b"\x01\x7d\x01").finish() for clock in range(30_000)
    ]
    assert verdict(update(section(5, 129, *structs))) == {5: Span(129, 30_129)}


def test_announced_counts_cost_no_memory() -> None:
    hostile = [
        b"\xff\xff\xff\xff\xff\xff\xff\x0f",
        b"\x01\xff\xff\xff\x7f\x05\x00",
        update(section(1, 0, item(8, b"\xff\xff\xff\x7f"))),
        update(section(1, 0, item(8, b"\x01" + b"u\xff\xff\xff\x7f" * 10))),
        update(section(1, 0, item(8, b"\x01" + b"v\xff\xff\xff\x7f" * 10))),
        b"\x00\xff\xff\xff\x7f",
        b"\x00\x01\x05\xff\xff\xff\x7f",
    ]
    check_update(b"\x00\x00")  # the patterns are compiled at the first use
    tracemalloc.start()
    try:
        for data in hostile:
            with pytest.raises(RemoteProtocolError):
                check_update(data)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_f9_a_cut_update_is_refused_at_every_place() -> None:
    for data in honest_updates():
        for head, tail in splits(data[:2_000]):
            if tail or len(data) > 2_000:
                assert verdict(head) is None


def test_an_update_with_another_one_behind_it_is_refused() -> None:
    for data in honest_updates():
        assert verdict(data + data) is None


@given(st.binary(max_size=60))
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    spans = verdict(data)
    if spans is not None:
        assert spans == spans_of(data)


def test_mutated_updates_pass_as_the_parser_reads_them_or_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = refused = 0
    outcomes = []
    corpus = [*honest_updates(), run(200, b"\x01\x7d\x01"), run(100, b"\x01x", ref=4)]
    mutations = list(cases(fuzz_seed("guard"), corpus, 20_000))
    for data in mutations:
        spans = verdict(data)
        outcomes.append(spans)
        if spans is None:
            refused += 1
        else:
            passed += 1
    assert passed > 2_000
    assert refused > 5_000
    # The parser has no patterns. It makes strings of all bytes, which the guard leaves to the binding.
    different = [parsed for spans, parsed in _parsed(mutations, outcomes) if spans != parsed]
    assert [parsed for parsed in different if parsed != "not UTF-8"] == []
    # Nor must it matter whether a struct was matched or walked over.
    monkeypatch.setattr(_yguard, "BATCH", 2**60)
    monkeypatch.setattr(_yskip, "BATCH", 2**60)
    for data, spans in zip(mutations, outcomes, strict=True):
        if len(data) > 200:
            assert verdict(data) == spans


def _parsed(
    mutations: list[bytes], outcomes: list[dict[int, Span] | None]
) -> Iterator[tuple[dict[int, Span], object]]:
    for data, spans in zip(mutations, outcomes, strict=True):
        if spans is not None and len(data) < 2_000:  # the parser is slow
            try:
                yield spans, spans_of(data)
            except RemoteProtocolError as error:
                yield spans, "not UTF-8" if "not UTF-8" in str(error) else str(error)


# What Yjs reads and the guard refuses, on purpose; the reason stands beside each check.
STRICTER = (
    "unexpected bytes",  # behind the end
    "out of range",  # clocks over 31 bits, integers over 53, empty or padded ranges
    "unknown parent",  # Yjs takes every number but 1 for an id, and yrs wraps it
    "empty range",
    "section without structs",
    "second section",
    "unknown struct",  # flags on GC and Skip, which yrs does not know
    "unknown type",  # a type in two bytes
    "misread",  # XML hooks, JSON content
    "announced",  # yrs reserves memory for what is announced
    "nested",
    "to merge",
)


@pytest.mark.interop
def test_yjs_refuses_what_the_guard_refuses_or_the_list_says_why(sync_js: SyncJsPeer) -> None:
    corpus = [each for each in honest_updates() if len(each) < 1_000]
    refused: dict[bytes, str] = {}
    for data in cases(fuzz_seed("guard and yjs"), corpus, 8_000):
        try:
            check_update(data)
        except RemoteProtocolError as error:
            refused[data] = str(error)
    answers = sync_js("codec.read", kind="update", items=list(refused))
    reasons = [reason for reason, answer in zip(refused.values(), answers, strict=True) if "ok" in answer]
    assert [reason for reason in reasons if not any(known in reason for known in STRICTER)] == []
    assert 50 < len(reasons) < len(refused) / 4
