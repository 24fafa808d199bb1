"""One IndexedDB database in the form TinyBase 10.0.1 gives it (persister-indexed-db).

Version 3, with object stores ``t``, ``v`` and ``m`` of objects ``{k, v}`` by ``k``. Entries cross the bridge
as JSON text, which is several times as fast as object by object.

A transaction of IndexedDB is over as soon as nothing is asked of it, so everything that happens in one stands
in JavaScript here, and what decides about it is a function of Python that is called in the middle.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from weft.errors import StorageError
from weft.persisters.browser.errors import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from weft._aio.javascript import Javascript

__all__ = ["BrowserDatabase", "edit_text"]

_SOURCE = """
((text, read) => {
  // Of `m`, which has two entries, the content that they are; of the others lists of entries.
  const contentOf = (names, lists) =>
    names[0] === 'm'
    ? ['t', 'v'].map((key) => lists[0].find(({k}) => k === key)?.v ?? null)
    : lists.map((list) => list.map(({k, v}) => [String(k), v]));

  // Opened for each use and closed after it, as TinyBase does: nobody waits for us to change the version.
  const open = (name, version, use) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(name, version);
      let absent = false;
      let blocked = false;
      request.onupgradeneeded = () => {
        if (version === undefined) {
          absent = true; // nothing is made by looking
          request.transaction.abort();
          return;
        }
        for (const store of ['t', 'v', 'm']) {
          const names = request.result.objectStoreNames;
          if (!names.contains(store)) request.result.createObjectStore(store, {keyPath: 'k'});
        }
      };
      request.onblocked = () => {
        blocked = true;
        reject(new Error('another program holds an older version of the database open'));
      };
      request.onerror = () => (absent ? resolve(null) : reject(request.error));
      request.onsuccess = async () => {
        const database = request.result;
        database.onversionchange = () => database.close();
        try {
          if (!blocked) resolve(await use(database));
        } catch (error) {
          reject(error);
        } finally {
          database.close();
        }
      };
    });

  const finished = (transaction) =>
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
    });

  const getAll = (name, stores) =>
    open(name, undefined, async (database) => {
      // TinyBase makes an empty database where it looks before anything was written.
      if (!stores.every((store) => database.objectStoreNames.contains(store))) return null;
      const transaction = database.transaction(stores);
      const requests = stores.map((store) => transaction.objectStore(store).getAll());
      await finished(transaction);
      return text(contentOf(stores, requests.map((request) => request.result)));
    });

  const edit = (name, keys, decide) =>
    open(name, 3, async (database) => {
      const wanted = JSON.parse(keys);
      // What is told to be there is there also after a loss of power.
      const names = wanted.map(([store]) => store);
      const transaction = database.transaction(names, 'readwrite', {durability: 'strict'});
      const found = wanted.map(() => []);
      let waiting = 1;
      let failure;
      const answered = () => {
        if (--waiting) return;
        try {
          write(decide(text(contentOf(names, found))));
        } catch (error) {
          failure = error;
          transaction.abort();
        }
      };
      const write = (decided) => {
        const edits = names[0] === 'm' ? read(decided) : JSON.parse(decided);
        edits.forEach(({clear, remove, keys, values}, at) => {
          const objects = transaction.objectStore(names[at]);
          if (clear) objects.clear();
          remove.forEach((k) => objects.delete(k));
          keys.forEach((k, n) => objects.put({k, v: values[n]}));
        });
      };
      wanted.forEach(([store, keys], at) => {
        const objects = transaction.objectStore(store);
        for (const request of keys === null ? [objects.getAll()] : keys.map((key) => objects.get(key))) {
          waiting++;
          request.onsuccess = () => {
            found[at].push(...[request.result ?? []].flat());
            answered();
          };
        }
      });
      answered();
      await finished(transaction).catch((error) => {
        throw failure ?? error;
      });
    });

  return {getAll, edit};
})
"""


_NOTHING = {"tv": "[[],[]]", "m": "[null,null]"}


def edit_text(
    keys: Iterable[str] = (), values: str = "[]", *, clear: bool = False, remove: Iterable[str] = ()
) -> str:
    """Say what is to become of an object store.

    Args:
        keys: Of the entries to write.
        values: JSON text of the list of their values.
        clear: Whether all others go.
        remove: Keys of those that go.
    """
    return (
        f'{{"clear":{json.dumps(clear)},"remove":{json.dumps([*remove])},"keys":{json.dumps([*keys])},'
        f'"values":{values}}}'
    )


class BrowserDatabase:
    """The database, which is open while something is read or written.

    What is read of ``t`` and ``v`` is JSON text of a list for each, of the pairs of its keys and values; of
    ``m`` that of the mergeable content, or ``[null,null]``.

    Args:
        js: The bridge.
        name: The database's name.
    """

    def __init__(self, js: Javascript, name: str) -> None:
        self.place = f"IndexedDB {name!r}"
        self._js = js
        self._name = name
        self._functions = js.evaluate(_SOURCE)(js.to_text, js.from_text)

    async def get_all(self, stores: Literal["tv", "m"]) -> str:
        """Read object stores; one that is not there is empty.

        Raises:
            StorageError: The database could not be read.
        """
        with storage_errors(self._js, self.place):
            text = await self._functions.getAll(self._name, self._js.array(stores))
        return text if isinstance(text, str) else _NOTHING[stores]

    async def edit(
        self, keys: Mapping[str, Sequence[str] | None], decide: Callable[[str], Sequence[str]]
    ) -> None:
        """Read and write in one transaction.

        Args:
            keys: For each object store concerned the keys of what is to be read; ``None``: all.
            decide: Called with what was read; gives an :func:`edit_text` for each object store. What it
                raises is raised here, and nothing was written.

        Raises:
            StorageError: Nothing was written.
        """
        failures: list[Exception] = []

        def decided(found: str) -> str | None:
            try:
                return f"[{','.join(decide(found))}]"
            except Exception as error:  # noqa: BLE001 - raised below: between stands JavaScript
                failures.append(error)
                return None

        callback = self._js.callback(decided)
        try:
            with storage_errors(self._js, self.place):
                await self._functions.edit(self._name, json.dumps([*keys.items()]), callback)
        except StorageError:
            if failures:
                raise failures[0] from None
            raise
        finally:
            callback.destroy()
