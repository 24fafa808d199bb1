// The workload that both sides of the benchmarks share: one table, ten cells a row. Ids are made beforehand,
// so that neither side is charged for building strings. benchmarks/_workload.py is the other half.

export const CELLS_PER_ROW = 10;
export const TABLE = 't';

const ids = (prefix, count) => Array.from({length: count}, (_, i) => `${prefix}${i}`);

export const rowIds = (cells, prefix = 'r', perRow = CELLS_PER_ROW) => ids(prefix, cells / perRow);
export const cellIds = ids('c', CELLS_PER_ROW);

export const tables = (cells, prefix, perRow = CELLS_PER_ROW) => {
  const table = {};
  let value = 0;
  for (const rowId of rowIds(cells, prefix, perRow)) {
    const row = {};
    for (const cellId of cellIds.slice(0, perRow)) row[cellId] = value++;
    table[rowId] = row;
  }
  return {[TABLE]: table};
};

export const schema = {[TABLE]: Object.fromEntries(cellIds.map((cellId) => [cellId, {type: 'number'}]))};

// A fixed shuffle (Lehmer's generator), the same on both sides.
export const shuffled = (count) => {
  const order = Array.from({length: count}, (_, i) => i);
  let state = 42;
  for (let i = count - 1; i > 0; i--) {
    state = (state * 16807) % 2147483647;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
};

// The same cells in several tables: TinyBase writes a table into SQLite by one statement, and SQLite takes 32,766
// parameters for it.
export const SPREAD = 4;
export const spreadIds = ids(TABLE, SPREAD);
export const spread = (cells) =>
  Object.fromEntries(spreadIds.map((tableId) => [tableId, tables(cells / SPREAD)[TABLE]]));
