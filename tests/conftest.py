"""The hostile test run: what the runner adds to every test of weft."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import shutil
import traceback
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import pytest_asyncio
from hypothesis import HealthCheck

from support.browser import PythonPage
from support.node import JsPeer, NodeServer, SyncJsPeer, node_missing
from support.postgres import PostgresServer, postgres_missing
from weft.limits import DEFAULT_SERVER_LIMITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# Time on a shared machine says nothing about the code. A failing example prints how to run it again.
hypothesis.settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# The gate gives the same verdict on the same commit; fresh examples are what a developer's runs are for.
hypothesis.settings.register_profile(
    "ci", hypothesis.settings.get_profile("default"), derandomize=True, database=None
)
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("default"), max_examples=10_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "default"))

# In debug mode asyncio notes of each future where it was made. The innermost calls say so; to write down all,
# some forty of pytest's among them, was a sixth of the time of the asyncio tests.
traceback.extract_stack.__defaults__ = (None, 8)

# Each starts its own PostgreSQL, Node and so on; and a container may use less than the cores of its machine.
_MAX_WORKERS = 4


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """A worker for each core, and none where there is one core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores == 1 else min(cores, _MAX_WORKERS)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run folders in workers; single files and tests, and what is looked at, in this process."""
    option = config.option
    if hasattr(config, "workerinput") or getattr(option, "dist", None) != "no":  # None with -p no:xdist
        return
    if option.numprocesses is None and not (option.collectonly or option.usepdb or option.capture == "no"):
        folder = config.invocation_params.dir
        if any((folder / argument).is_dir() for argument in config.args):
            option.numprocesses = "auto"
    if option.numprocesses:
        option.dist = "worksteal"


# Workers begin with these, so that the end is not one long test for which the others wait.
_LONGEST = (
    "test_benchmarks.py",
    "test_quality.py",
    "test_site.py",
    "typing/",
    "abuse/",
    "server/test_processes.py",
    "server/storage/test_backup.py",
    "differential/",
    "crash/",
    "server/test_settlement.py",
    "fuzz/",
    "interop/test_live_clients.py",
    "interop/test_large_documents.py",
    "persisters/test_processes.py",
    "testing/sim/",
    "cli/",
    "interop/",
)


def _place(item: pytest.Item) -> int:
    path = item.nodeid.removeprefix("tests/")
    return next((at for at, start in enumerate(_LONGEST) if path.startswith(start)), len(_LONGEST))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long tests unless they are asked for, and watch the loop of every asyncio test."""
    if hasattr(config, "workerinput"):
        items.sort(key=_place)
    if "long" not in config.option.markexpr and not any("::" in argument for argument in config.args):
        long = [item for item in items if item.get_closest_marker("long") is not None]
        if long:
            config.hook.pytest_deselected(items=long)
            items[:] = [item for item in items if item.get_closest_marker("long") is None]
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            # First in, last out: it looks at the loop when everything else of the test is gone.
            item.fixturenames.insert(0, "_clean_loop")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install the JavaScript packages out of the first test's time, and keep what stands from collections."""
    if not session.config.option.collectonly and any(
        "_node" in getattr(item, "fixturenames", ()) for item in session.items
    ):
        node_missing()
    # Each asyncio test ends with a collection, to hear of what nobody retrieved. To go each time through all
    # that the imports left and that will not go (boto3 is large) was half of the run of tests/persisters.
    gc.collect()
    gc.freeze()


def _no_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    # A gate that skips what it cannot run proves nothing: there, a missing Node is a failure.
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but in CI everything runs: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Turn a skip into a failure in CI."""
    report = yield
    _no_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """Turn the skip of a whole module into a failure in CI."""
    report = yield
    _no_skip_in_ci(report)
    return report


# What a busy machine has the code say.
_BUSY = (
    "Executing <",
    f"the event loop has served nobody for more than {DEFAULT_SERVER_LIMITS.max_stall:g} s",
)
for _name in ("asyncio", "weft.server"):
    logging.getLogger(_name).addFilter(lambda record: not record.getMessage().startswith(_BUSY))


class _Errors(logging.Handler):
    """Keeps what asyncio logs as an error: exceptions nobody retrieved, callbacks that failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))


@pytest_asyncio.fixture
async def _clean_loop() -> AsyncIterator[None]:
    """Fail a test that leaves a task running, or whose loop reported an error to nobody."""
    assert asyncio.get_running_loop().get_debug(), "asyncio debug mode is part of the run"
    errors = _Errors()
    logger = logging.getLogger("asyncio")
    logger.addHandler(errors)
    try:
        yield
        leaked = [
            task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()
        ]
        # "Task exception was never retrieved" is said when the task is collected.
        gc.collect()
    finally:
        logger.removeHandler(errors)
    if leaked:
        pytest.fail("tasks still running after the test:\n" + "\n".join(map(repr, leaked)))
    if errors.texts:
        pytest.fail("asyncio reported:\n" + "\n".join(errors.texts))


@pytest.fixture(scope="session")
def _node() -> None:
    reason = node_missing()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def js_session(_node: None) -> Iterator[SyncJsPeer]:
    """One JavaScript peer process for the session; whoever uses it empties it with ``reset``."""
    with SyncJsPeer() as js:
        yield js


@pytest.fixture
def sync_js(js_session: SyncJsPeer) -> Iterator[SyncJsPeer]:
    """A JavaScript peer process asked one thing at a time; the session's, emptied after each test."""
    yield js_session
    js_session("reset")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser for the JavaScript peers' ``page.open``."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("chromium is not installed")
    return path


@pytest.fixture(scope="session")
def python_page(_node: None, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonPage]:
    """A page that has weft and JavaScript's TinyBase in it; the session's."""
    with PythonPage(tmp_path_factory.mktemp("page"), chromium) as page:
        yield page


@pytest_asyncio.fixture
async def js_peer(_node: None) -> AsyncIterator[JsPeer]:
    """A JavaScript peer process of the test's own, for asyncio tests."""
    async with JsPeer() as js:
        yield js


@pytest.fixture
def y_websocket_server(_node: None) -> Iterator[NodeServer]:
    """A Node y-websocket server of the test's own."""
    with NodeServer() as server:
        yield server


@pytest_asyncio.fixture
async def new_js_peer(_node: None) -> AsyncIterator[Callable[[], Any]]:
    """Start further JavaScript processes: ``js = await new_js_peer()``."""
    peers: list[JsPeer] = []

    async def start() -> JsPeer:
        peers.append(await JsPeer().__aenter__())
        return peers[-1]

    yield start
    for peer in peers:
        await peer.__aexit__(None, None, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the session's own."""
    reason = postgres_missing()
    if reason is not None:
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server
