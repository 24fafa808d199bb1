"""A module's test is found by its path; where one suite covers several on purpose, this table says which."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
SRC = TESTS.parent / "src" / "weft"

# Module to the suite that covers it: types without behaviour, the parts of one thing that make sense together
# only, and what is itself a suite.
COVERED = {
    "__main__.py": "cli/test_main.py",
    "deltas/arithmetic.py": "test_deltas.py",
    "deltas/form.py": "test_deltas.py",
    "deltas/offsets.py": "test_deltas.py",
    "deltas/reading.py": "test_deltas.py",
    "deltas/strings.py": "test_deltas.py",
    "store/_core/undo_capture.py": "store/_core/test_undo_manager.py",
    "store/_parts/own_changes.py": "store/_core/test_undo_manager.py",
    "store/_parts/stack_item.py": "store/_core/test_undo_manager.py",
    "store/_parts/undo_records.py": "facade/test_kept_undo.py",
    "store/_parts/undo_scope.py": "store/_core/test_undo_manager.py",
    "store/_parts/undo_stacks.py": "store/_core/test_undo_manager.py",
    "store/_parts/undo_writes.py": "store/_core/test_undo_manager.py",
    "store/_parts/paths.py": "mirrors/test_mirror.py",
    "_support/sqlite_file.py": "server/storage/test_sqlite_file.py",
    "mirrors/yjs/declared_texts.py": "mirrors/yjs/test_xml_positions.py",
    "mirrors/yjs/xml_edits.py": "mirrors/yjs/test_xml_texts.py",
    "mirrors/yjs/xml_tree.py": "mirrors/yjs/test_xml_texts.py",
    "documents/yjs/load.py": "providers/replica/test_replica.py",
    "providers/_core/shared_documents.py": "providers/automerge_repo/test_adapter.py",
    "providers/_core/durable.py": "providers/replica/test_replica.py",
    "providers/automerge_repo/kept.py": "providers/replica/test_replica.py",
    "providers/replica/automerge.py": "providers/replica/test_replica.py",
    "providers/replica/content.py": "providers/replica/test_replica.py",
    "providers/replica/kinds.py": "providers/replica/test_replica.py",
    "providers/replica/kept.py": "providers/replica/test_replica.py",
    "providers/tinybase/kept.py": "providers/replica/test_replica.py",
    "providers/replica/own_rows.py": "providers/replica/test_replica.py",
    "providers/replica/commits.py": "providers/replica/test_replica.py",
    "providers/replica/deletes.py": "providers/replica/test_replica.py",
    "providers/replica/meta.py": "providers/replica/test_replica.py",
    "providers/replica/pending.py": "providers/replica/test_replica.py",
    "providers/replica/session.py": "providers/replica/test_replica.py",
    "providers/replica/yjs.py": "providers/replica/test_replica.py",
    "providers/tinybase/adapter.py": "providers/tinybase/test_provider.py",
    "providers/tinybase/document.py": "providers/tinybase/test_provider.py",
    "providers/ysync/kept.py": "providers/replica/test_replica.py",
    "errors/base.py": "test_errors.py",
    "errors/storage.py": "test_errors.py",
    "cli/command.py": "cli/test_main.py",
    "cli/commands.py": "cli/test_main.py",
    "cli/cells.py": "cli/test_places.py",
    "cli/completion.py": "cli/test_places.py",
    "cli/db_options.py": "cli/test_db.py",
    "cli/differences.py": "cli/test_places.py",
    "cli/paths.py": "cli/test_places.py",
    "cli/records.py": "cli/test_places.py",
    "cli/watch.py": "cli/test_places.py",
    "cli/output.py": "cli/test_main.py",
    "cli/demo_peers.py": "cli/test_demo.py",
    "documents/yjs/item_paths.py": "facade/test_pending_cells.py",
    "mirrors/yjs/blind_deletions.py": "interop/test_shared_texts.py",
    "mirrors/yjs/positions.py": "mirrors/yjs/test_texts.py",
    "mirrors/writes.py": "mirrors/test_mirror.py",
    "mirrors/places.py": "facade/test_pending_cells.py",
    "_support/prefixes.py": "test_deltas.py",
    "mirrors/shapes/array_of_maps.py": "mirrors/yjs/test_declared.py",
    "facade/inspecting.py": "mirrors/shapes/test_inspection.py",
    "mirrors/yjs/inspecting.py": "mirrors/shapes/test_inspection.py",
    "mirrors/automerge/inspecting.py": "mirrors/shapes/test_inspection.py",
    "mirrors/shapes/cells.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/map_of_maps.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/map_of_values.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/part.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/parts.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/shared_text.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/table_part.py": "mirrors/yjs/test_declared.py",
    "mirrors/shapes/tree.py": "mirrors/yjs/test_declared.py",
    "mirrors/yjs/losers.py": "mirrors/yjs/test_declared.py",
    "mirrors/yjs/tree.py": "mirrors/yjs/test_declared.py",
    "mirrors/automerge/kept.py": "mirrors/automerge/test_declared.py",
    "mirrors/automerge/lost.py": "mirrors/automerge/test_declared.py",
    "mirrors/automerge/roots.py": "mirrors/automerge/test_declared.py",
    "mirrors/automerge/tree.py": "mirrors/automerge/test_declared.py",
    "mirrors/automerge/places.py": "facade/test_pending_cells.py",
    "documents/mergeable/events.py": "documents/mergeable/test_document.py",
    "mirrors/mergeable/stamping.py": "mergeable/test_store.py",
    "documents/compaction.py": "documents/yjs/test_compact_log.py",
    "facade/documents.py": "facade/test_document_sync.py",
    "facade/entry_points.py": "facade/test_document_sync.py",
    "facade/opening.py": "facade/test_document_sync.py",
    "facade/state.py": "facade/test_document_sync.py",
    "mergeable/stamped.py": "mergeable/test_store.py",
    "facade/kept_store.py": "facade/test_place.py",
    "facade/store.py": "facade/test_document_sync.py",
    "facade/ysync.py": "facade/test_document_sync.py",
    "facade/automerge_repo.py": "facade/test_presence.py",
    "facade/place_sync.py": "facade/test_place.py",
    "facade/protocol.py": "facade/test_address.py",
    "facade/blocking_opening.py": "test_sync.py",
    "facade/blocking_sync.py": "test_sync.py",
    "facade/polling.py": "test_sync.py",
    "limits.py": "fuzz/test_binding.py",
    "providers/_core/default_transport.py": "providers/_core/test_browser.py",
    "persisters/browser/errors.py": "persisters/browser/test_places.py",
    "persisters/browser/indexed_db.py": "persisters/browser/test_places.py",
    "persisters/browser/opfs.py": "persisters/browser/test_places.py",
    "persisters/browser/web_storage.py": "persisters/browser/test_places.py",
    "persisters/_core/adapter.py": "persisters/_core/test_engine.py",
    "persisters/partykit/room.py": "persisters/partykit/test_persister.py",
    "persisters/durable_objects/form.py": "persisters/durable_objects/test_persister.py",
    "persisters/durable_objects/fragments.py": "persisters/durable_objects/test_persister.py",
    "persisters/durable_objects/json_text.py": "persisters/durable_objects/test_persister.py",
    "persisters/durable_objects/key_values.py": "persisters/durable_objects/test_persister.py",
    "persisters/durable_objects/object_file.py": "persisters/durable_objects/test_persister.py",
    "persisters/mirrored.py": "persisters/test_yjs.py",
    "persisters/sql/broken_keys.py": "persisters/sql/test_constraints.py",
    "persisters/sql/dialect.py": "persisters/sqlite/test_dialect.py",
    "protocols/automerge_repo/effects.py": "protocols/automerge_repo/test_session.py",
    "protocols/awareness/change.py": "protocols/awareness/test_states.py",
    "protocols/awareness/known.py": "protocols/awareness/test_states.py",
    "protocols/effects.py": "protocols/ysync/test_session.py",
    "protocols/tinybase/effects.py": "protocols/tinybase/test_session.py",
    "protocols/tinybase/exchanges.py": "protocols/tinybase/test_session.py",
    "protocols/tinybase/pull.py": "protocols/tinybase/test_session.py",
    "server/asked_rooms.py": "server/automerge_repo/test_documents.py",
    "server/_core/counters.py": "server/test_statistics.py",
    "server/_core/link.py": "server/fronts/test_websocket_link.py",
    "server/fronts/early.py": "server/fronts/test_websocket_link.py",
    "server/fronts/link_owner.py": "server/fronts/test_websocket_link.py",
    "server/fronts/listener.py": "server/fronts/test_descriptors.py",
    "server/fronts/repo_documents.py": "server/fronts/test_websocket.py",
    "server/fronts/socket_writer.py": "server/fronts/test_websocket_link.py",
    "server/_core/settings.py": "server/ysync/test_room.py",
    "server/storage/commit_stats.py": "server/storage/test_group_commit.py",
    "server/storage/commits.py": "server/storage/test_group_commit.py",
    "server/storage/contract.py": "server/storage/test_memory.py",
    "server/storage/postgres_reader.py": "cli/test_db_check.py",
    "cli/db_rooms.py": "cli/test_db.py",
    "server/storage/missing.py": "cli/test_db_quarantine.py",
    "server/storage/slices.py": "server/storage/test_sqlite_rows.py",
    "server/storage/sqlite_rooms.py": "server/storage/test_sqlite.py",
    "server/storage/settings.py": "server/storage/test_sqlite.py",
    "server/storage/postgres_rooms.py": "server/storage/test_postgres.py",
    "server/storage/postgres_statements.py": "server/storage/test_postgres.py",
    "server/storage/postgres_writer.py": "server/storage/test_postgres.py",
    "server/storage/reading.py": "cli/test_db_check.py",
    "server/storage/replacement.py": "server/storage/test_memory.py",
    "store/_parts/gate.py": "store/test_middleware.py",
    "store/_parts/signatures.py": "typing/test_typing.py",
    "server/fanout/reconnecting.py": "server/fanout/test_redis.py",
    "server/tinybase/channel.py": "server/tinybase/test_peer.py",
    "server/asking_peer.py": "server/tinybase/test_peer.py",
    "server/tinybase/rooms.py": "server/tinybase/test_peer.py",
    "server/ysync/local_document.py": "server/test_editing.py",
    "server/version_content.py": "server/test_versions.py",
    "testing/broadcast.py": "server/fanout/test_memory.py",
    "testing/persisters/automatic.py": "persisters/test_file.py",
    "testing/persisters/kills.py": "persisters/test_file.py",
    "testing/persisters/mergeable.py": "persisters/test_mergeable.py",
    "testing/storage/hooks.py": "server/storage/test_memory.py",
    "testing/storage/kills.py": "server/storage/test_sqlite.py",
    "testing/storage/shared.py": "server/storage/test_memory.py",
    "testing/storage/suite.py": "server/storage/test_memory.py",
    "testing/sim/actions.py": "testing/sim/test_net.py",
    "testing/sim/fanout.py": "testing/sim/test_net.py",
    "testing/sim/network.py": "testing/sim/test_net.py",
    "testing/sim/node.py": "testing/sim/test_net.py",
    "testing/sim/oracle.py": "testing/sim/test_canaries.py",
    "testing/sim/peer.py": "testing/sim/test_net.py",
    "testing/sim/plan.py": "testing/sim/test_net.py",
    "testing/sim/result.py": "testing/sim/test_net.py",
    "testing/sim/server.py": "testing/sim/test_net.py",
    "testing/sim/world.py": "testing/sim/test_net.py",
}

MODULES = sorted(path.relative_to(SRC).as_posix() for path in SRC.rglob("*.py") if path.name != "__init__.py")


def own_test(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{'main' if path.stem == '__main__' else path.stem}.py")


def test_every_module_has_its_test_at_its_path_or_in_the_table() -> None:
    assert len(MODULES) > 100
    assert [module for module in MODULES if not own_test(module).is_file() and module not in COVERED] == []


def test_the_table_names_modules_without_a_test_of_their_own_and_suites_that_are_there() -> None:
    assert [module for module in COVERED if module not in MODULES or own_test(module).is_file()] == []
    assert [suite for suite in COVERED.values() if not (TESTS / suite).is_file()] == []


def test_every_test_stands_at_the_path_of_a_package() -> None:
    # Suites with a subject of their own, which no single package has.
    across = {"abuse", "crash", "differential", "fuzz", "interop", "stateful", "support", "typing"}
    packages = {path.parent.relative_to(SRC).as_posix() for path in SRC.rglob("__init__.py")}
    stray = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("test_*.py")
        if path.parent.relative_to(TESTS).as_posix() not in packages
        and path.relative_to(TESTS).parts[0] not in across
    }
    assert stray == set()
