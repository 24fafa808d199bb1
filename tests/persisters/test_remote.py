from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web

from support.persister_peer import TinyBasePeer
from support.ports import free_port
from weft.errors import RemoteProtocolError, StorageError
from weft.mergeable import MergeableStore, from_json
from weft.persisters import RemotePersister, remote_handler
from weft.store import Store
from weft.testing.persisters import MORE, PETS, MergeablePersisterSuite, PersisterSuite, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from weft.changes import Content
    from weft.persisters import Persister


class Site:
    """A web server with one resource, which can be stopped and started on its port."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self.handler = handler
        self.port = free_port()
        self.requests: list[str] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            response = await self.handler(request)
            self.requests.append(f"{request.method} {response.status}")
            return response

        app = web.Application()
        app.router.add_route("*", "/store", handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/store"


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(remote_handler(Store()))
    await site.start()
    yield site
    await site.stop()


class TestOurHandler(PersisterSuite):
    @pytest_asyncio.fixture(autouse=True)
    async def place(self) -> AsyncIterator[None]:
        self.served = Store()
        self.bad = False
        self.site = Site(self.answer)
        self.good = remote_handler(self.served)
        await self.site.start()
        yield
        await self.site.stop()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.bad = False
        if self.bad:
            return web.Response(text="[{", headers={"ETag": '"bad"'})
        return await self.good(request)

    def make(self, store: Store, **options: Any) -> Persister:
        return RemotePersister(store, self.site.url, poll_seconds=0.02, **options)

    async def read_raw(self) -> Content | None:
        content = self.served.get_content()
        return content if content != ({}, {}) else None

    async def write_raw(self, content: Content) -> None:
        self.bad = False
        self.served.set_content(content)

    async def write_bad(self) -> None:
        self.bad = True


class TestAMergeableStore(MergeablePersisterSuite):
    """Behind our handler, which has one itself."""

    @pytest_asyncio.fixture(autouse=True)
    async def place(self) -> AsyncIterator[None]:
        self.served = MergeableStore()
        self.foreign: str | None = None
        self.site = Site(self.answer)
        self.good = remote_handler(self.served)
        await self.site.start()
        yield
        await self.site.stop()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.foreign = None
        if self.foreign is not None:
            return web.Response(text=self.foreign, headers={"ETag": '"foreign"'})
        return await self.good(request)

    def make(self, store: Store, **options: Any) -> Persister:
        return RemotePersister(store, self.site.url, poll_seconds=0.02, **options)

    async def read_text(self) -> str | None:
        text = self.served.document.content_text()
        return self.foreign or (text if text != '[[{},"",0],[{},"",0]]' else None)

    async def write_text(self, text: str) -> None:
        self.foreign = None
        try:
            self.served.set_mergeable_content(from_json(text))
        except (TypeError, ValueError, RemoteProtocolError):
            self.foreign = text


class TestAMergeableStoreAnywhere(TestAMergeableStore):
    """Behind a server that keeps what it is sent, whatever that is, and knows no versions."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.foreign = (await request.read()).decode()
            return web.Response(status=204)
        return web.Response(status=404) if self.foreign is None else web.Response(text=self.foreign)

    async def read_text(self) -> str | None:
        return self.foreign

    async def write_text(self, text: str) -> None:
        self.foreign = text


async def test_our_handler_merges_what_is_posted_and_says_what_is_wrong() -> None:
    served = MergeableStore("served").set_cell("pets", "fido", "price", 5)
    site = Site(remote_handler(served))
    await site.start()
    try:
        async with ClientSession() as session:

            async def post(text: str) -> tuple[int, str]:
                async with session.post(
                    site.url, data=text, headers={"Content-Type": "application/json"}
                ) as answer:
                    return answer.status, await answer.text()

            other = MergeableStore("other").set_cell("pets", "felix", "price", 4)
            assert await post(other.document.content_text()) == (204, "")
            assert served.get_row_ids("pets") == ["fido", "felix"]
            text = served.document.content_text()
            assert await post(text) == (204, "")
            for bad, reason in (
                ("[{},{}]", "plain Store"),
                ("[[{}", "not JSON"),
                ('[[{"t":1}],[{}]]', "cannot be merged"),
            ):
                status, answer = await post(bad)
                assert status == 400
                assert reason in answer
            async with session.get(site.url) as response:
                assert await response.text() == text == served.document.content_text()
    finally:
        await site.stop()


async def test_a_server_that_knows_no_versions_will_do() -> None:
    kept: list[bytes] = []

    async def simple(request: web.Request) -> web.Response:
        if request.method == "POST":
            kept[:] = [await request.read()]
            return web.Response()
        return web.Response(body=kept[0]) if kept else web.Response(status=404)

    site = Site(simple)
    await site.start()
    store = Store()
    try:
        async with RemotePersister(store, site.url, poll_seconds=0.01) as persister:
            await persister.start_auto_persisting(PETS)
            store.set_cell("pets", "fido", "price", 6)
            await until(lambda: b'"price":6' in kept[0])
            kept[:] = [Store().set_content(MORE).get_json().encode()]
            await until(lambda: store.get_content() == MORE)
    finally:
        await site.stop()


async def test_looking_for_changes_costs_a_head_that_is_answered_not_modified(site: Site) -> None:
    store = Store()
    async with RemotePersister(store, site.url, poll_seconds=0.01) as persister:
        await persister.start_auto_persisting(PETS)
        await persister.save()
        site.requests.clear()
        await until(lambda: len(site.requests) > 5)
    assert set(site.requests) == {"HEAD 304"}


async def test_a_save_over_anothers_is_merged(site: Site) -> None:
    one, two = Store(), Store()
    async with RemotePersister(one, site.url) as first, RemotePersister(two, site.url) as second:
        await first.start_auto_persisting(PETS)
        await second.start_auto_persisting()
        one.set_row("pets", "one", {"price": 1})
        await until(first.is_at_rest)
        two.set_row("pets", "two", {"price": 2})
        await second.stop_auto_save()
        assert "POST 412" in site.requests
        await first.load()
        assert one.get_row_ids("pets") == ["fido", "one", "two"]


async def test_a_weak_version_is_compared_before_the_save_as_no_server_may_match_it() -> None:
    """RFC 9110, 13.1.1: If-Match compares strongly, so a weak one never matches."""
    kept: list[bytes] = []
    requests: list[str] = []

    async def weak(request: web.Request) -> web.Response:
        requests.append(request.method)
        headers = {"ETag": f'W/"{len(kept)}"'} if kept else {}
        if request.method == "POST":
            if request.headers.get("If-Match", "*") != "*":
                return web.Response(status=412)
            kept.append(await request.read())
            return web.Response(headers={"ETag": f'W/"{len(kept)}"'})
        return web.Response(body=kept[-1], headers=headers) if kept else web.Response(status=404)

    site = Site(weak)
    await site.start()
    try:
        one, two = Store(), Store()
        async with RemotePersister(one, site.url) as first, RemotePersister(two, site.url) as second:
            await first.start_auto_persisting(PETS)
            await second.start_auto_persisting()
            requests.clear()
            one.set_row("pets", "one", {"price": 1})
            await until(first.is_at_rest)
            assert requests == ["HEAD", "POST"]
            two.set_row("pets", "two", {"price": 2})
            await second.stop_auto_save()
            await first.load()
            assert one.get_row_ids("pets") == ["fido", "one", "two"]
    finally:
        await site.stop()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_save_that_is_sent_elsewhere_is_saved_there_or_an_error(status: int) -> None:
    """All but the last two statuses make a GET of it, which saves nothing: a page to log in, as a rule."""
    posted: list[bytes] = []

    async def elsewhere(request: web.Request) -> web.Response:
        if "to" not in request.query:
            return web.Response(status=status, headers={"Location": "/store?to=here"})
        if request.method == "POST":
            posted.append(await request.read())
        return web.Response(text="welcome")

    site = Site(elsewhere)
    await site.start()
    try:
        async with RemotePersister(Store().set_content(PETS), site.url) as persister:
            if status < 307:
                with pytest.raises(StorageError, match="POST was redirected to a GET"):
                    await persister.save()
                assert posted == []
            else:
                await persister.save()
                assert posted == [Store().set_content(PETS).get_json().encode()]
    finally:
        await site.stop()


async def test_a_lost_connection_is_reported_and_nothing_is_lost_when_it_is_back(site: Site) -> None:
    errors: list[Exception] = []
    store, other = Store(), Store()
    async with RemotePersister(store, site.url, poll_seconds=0.02, on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_persisting(PETS)
        await site.stop()
        store.set_cell("pets", "fido", "price", 6)
        await until(lambda: len(errors) > 2)
        with pytest.raises(StorageError, match=r"127\.0\.0\.1"):
            await persister.save()
        assert store.get_cell("pets", "fido", "price") == 6
        await site.start()
        await until(persister.is_at_rest)
        async with RemotePersister(other, site.url) as reader:
            await reader.load()
        assert other.get_content() == store.get_content()


@pytest.mark.parametrize("status", [401, 500, 302])
async def test_a_refusal_is_an_error_that_names_the_status(status: int) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status)

    site = Site(refuse)
    await site.start()
    try:
        async with RemotePersister(Store().set_content(PETS), site.url) as persister:
            for verb in (persister.load, persister.save):
                with pytest.raises(StorageError, match=str(status)):
                    await verb()
    finally:
        await site.stop()


@pytest.mark.parametrize("address", ["http://{}127.0.0.1:9", "http://{}[bad"])
async def test_errors_show_no_password_and_no_query(address: str) -> None:
    url = f"{address.format('user:hunter2@')}/store?token=hunter3"
    async with RemotePersister(Store(), url) as persister:
        with pytest.raises(StorageError) as caught:
            await persister.load()
    shown = "".join(traceback.format_exception(caught.value))
    assert "://" in shown
    assert "hunter" not in shown


def test_an_address_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(
        ValueError, match=r"of http:// or https:// is needed here, and not 'nonsense://x/store'$"
    ):
        RemotePersister(Store(), "nonsense://user:hunter2@x/store?token=hunter3")


async def test_an_answer_that_is_too_long_is_refused(site: Site) -> None:
    async with RemotePersister(Store().set_content(MORE), site.url, max_bytes=50) as persister:
        await persister.save()
        with pytest.raises(StorageError, match="longer than 50 bytes"):
            await persister.load()


async def test_headers_are_sent_and_a_given_session_stays_open() -> None:
    seen: list[str | None] = []

    async def look(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=404)

    site = Site(look)
    await site.start()
    try:
        async with ClientSession() as session:
            headers = {"Authorization": "Bearer x"}
            async with RemotePersister(Store(), site.url, session=session, headers=headers) as persister:
                await persister.load()
                assert persister.get_urls() == (site.url, site.url)
            assert not session.closed
    finally:
        await site.stop()
    assert seen == ["Bearer x"]


async def test_the_handler_refuses_what_it_should(site: Site) -> None:
    async with ClientSession() as session:
        json = {"Content-Type": "application/json"}
        for method, headers, data, status in [
            ("PUT", json, b"[{},{}]", 405),
            ("POST", {"Content-Type": "text/plain"}, b"[{},{}]", 415),
            ("POST", json, b"[{", 400),
            ("POST", json, b"[[],[]]", 400),
            ("POST", {**json, "If-Match": '"other"'}, b"[{},{}]", 412),
            ("GET", {}, b"", 404),
            ("POST", {**json, "If-None-Match": "*"}, b'[{},{"v":1}]', 204),
            ("POST", {**json, "If-None-Match": "*"}, b"[{},{}]", 412),
            ("POST", {**json, "If-Match": "*"}, b"[{},{}]", 204),
        ]:
            async with session.request(method, site.url, headers=headers, data=data) as response:
                assert response.status == status, (method, headers, data)
    small = Site(remote_handler(Store(), max_bytes=10))
    await small.start()
    try:
        async with (
            ClientSession() as session,
            session.post(small.url, headers=json, data=b" " * 11) as response,
        ):
            assert response.status == 413
    finally:
        await small.stop()


@pytest.mark.parametrize("raises", [False, True])
async def test_the_handler_tells_what_the_served_store_refuses(
    raises: bool, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = []

    def hear(error: Exception) -> None:
        errors.append(error)
        if raises:
            raise RuntimeError("no")

    json = {"Content-Type": "application/json"}
    text = b'[{"pets":{"fido":{"price":"five","sold":true}}},{}]'
    for on_error in (hear, None):
        served = Store().set_tables_schema(
            {"pets": {"price": {"type": "number"}, "sold": {"type": "boolean"}}}
        )
        place = Site(remote_handler(served, on_error=on_error))
        await place.start()
        try:
            async with (
                ClientSession() as session,
                session.post(place.url, headers=json, data=text) as response,
            ):
                assert response.status == 204
        finally:
            await place.stop()
        assert served.get_tables() == {"pets": {"fido": {"sold": True}}}
    said = "1 cells or values were refused, the first: 'pets', 'fido', 'price', 'five'"
    assert [str(error) for error in errors] == [said]
    logged = [record.getMessage() for record in caplog.records if record.name == "weft.persisters"]
    failed = [f"remote_handler: on_error failed on {errors[0]!r}"] if raises else []
    assert logged == [*failed, f"remote_handler: {said}"]


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
async def test_tinybase_loads_saves_and_follows_the_same_server(site: Site) -> None:
    store = Store()
    async with RemotePersister(store, site.url, poll_seconds=0.02) as persister:
        await persister.start_auto_persisting(PETS)
        async with TinyBasePeer("remote", url=site.url, seconds=0.02) as js:
            await js.persister("startAutoPersisting")
            assert await js.content() == PETS

            async def same() -> bool:
                return await js.content() == store.get_content()

            for number in range(3):
                store.set_row("pets", f"py{number}", {"price": number})
                await until(same)
                row = f"js{number}"
                edit = ("setRow", "pets", row, {"price": number})
                await js.edit(edit, ("delRow", "pets", row), lambda row=row: store.has_row("pets", row))  # type: ignore[misc]
                await until(same)
            fido = ("setRow", "pets", "fido", PETS[0]["pets"]["fido"])
            await js.edit(("delRow", "pets", "fido"), fido, lambda: not store.has_row("pets", "fido"))
