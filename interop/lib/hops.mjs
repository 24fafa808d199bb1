// When a cell arrived, told by the clock that Python's time.monotonic_ns() reads too (CLOCK_MONOTONIC on Linux).
import {getPeer} from './peers.mjs';

export const hopCommands = {
  'hop.watch': ({name, table, row, cell}, say) => {
    const {store} = getPeer(name);
    store.addCellListener(table, row, cell, (_store, _table, _row, _cell, value) =>
      say({event: 'arrival', name, value, ns: process.hrtime.bigint().toString()}),
    );
  },
};
