// Runs programs of Store calls on the real TinyBase and prints what happened.
//
// Input: one program per line (JSON). Output: one trace per line (JSON), in the same order.
// The language of the programs and the form of the traces are described in
// tests/differential/language.py; its interpreter for weft is tests/differential/runner.py.
//
// A program may name corrections (store_corrections.mjs); one that names none runs on TinyBase as
// published.

import {createInterface} from 'node:readline';
import {createCheckpoints} from 'tinybase/checkpoints';
import {createMiddleware} from 'tinybase/middleware';
import {storeCreator} from './store_corrections.mjs';

// --- Values ---------------------------------------------------------------------------------------

class Instance {}
class Thrown extends Error {
  constructor(label) {
    super(label);
    this.label = label;
  }
}

const CYCLIC = [];
CYCLIC.push(CYCLIC);
const FUNCTION = () => {};
const ODD = {
  undefined: () => undefined,
  nan: () => NaN,
  inf: () => Infinity,
  '-inf': () => -Infinity,
  '-0': () => -0,
  bigint: ({v}) => BigInt(v),
  function: () => FUNCTION,
  date: () => new Date(0),
  set: () => new Set(),
  instance: () => new Instance(),
  cyclic: () => CYCLIC,
};

const define = (object, key, value) =>
  Object.defineProperty(object, key, {value, configurable: true, enumerable: true, writable: true});

const isPlain = (thing) =>
  typeof thing === 'object' &&
  thing !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(thing));

const encode = (thing) => {
  switch (typeof thing) {
    case 'undefined':
      return {$: 'undefined'};
    case 'bigint':
      return {$: 'bigint', v: String(thing)};
    case 'function':
      return {$: 'function'};
    case 'number':
      return Number.isNaN(thing)
        ? {$: 'nan'}
        : thing === Infinity
          ? {$: 'inf'}
          : thing === -Infinity
            ? {$: '-inf'}
            : Object.is(thing, -0)
              ? {$: '-0'}
              : thing;
    case 'object':
      return thing === null
        ? null
        : thing === CYCLIC
          ? {$: 'cyclic'}
          : Array.isArray(thing)
            ? thing.map(encode)
            : thing instanceof Date
              ? {$: 'date'}
              : thing instanceof Set
                ? {$: 'set'}
                : thing instanceof Instance
                  ? {$: 'instance'}
                  : {$: 'o', v: Object.keys(thing).map((key) => [key, encode(thing[key])])};
    default:
      return thing;
  }
};

const snake = (name) => name.replace(/[A-Z]/g, (letter) => '_' + letter.toLowerCase());
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel('_' + name);

const getStats = (thing) =>
  Object.fromEntries(Object.entries(thing.getListenerStats()).map(([key, count]) => [snake(key), count]));

// --- One program ----------------------------------------------------------------------------------

const ID_CHANGES = new Set(['table_ids', 'table_cell_ids', 'row_ids', 'cell_ids', 'value_ids']);
const VALUE_CHANGES = new Set(['values', 'value']);
const ARGUMENT_COUNTS = {
  has_tables: 1, tables: 1, table_ids: 1, has_table: 2, table: 2, table_cell_ids: 2,
  has_table_cell: 3, row_count: 2, row_ids: 2, sorted_row_ids: 6, has_row: 3, row: 3, cell_ids: 3,
  has_cell: 4, cell: 6, invalid_cell: 4, has_values: 1, values: 1, value_ids: 1, has_value: 2,
  value: 4, invalid_value: 2, start_transaction: 0, will_finish_transaction: 0,
  did_finish_transaction: 0,
}; // without the store

const runProgram = (program, createStore) => {
  const {probes} = program;
  const log = [];
  const store = createStore();
  let madeMiddleware;
  let madeCheckpoints;
  const middleware = () => (madeMiddleware ??= createMiddleware(store));
  // Made once: creating Checkpoints again would bring destroyed ones back to life.
  const checkpoints = () => (madeCheckpoints ??= createCheckpoints(store));
  let lastDump;

  const decode = (value, args = []) => {
    if (Array.isArray(value)) {
      return value.map((item) => decode(item, args));
    }
    if (typeof value !== 'object' || value === null) {
      return value;
    }
    switch (value.$) {
      case 'o': {
        const object = {};
        value.v.forEach(([key, item]) => define(object, key, decode(item, args)));
        return object;
      }
      case 'arg':
        return args[value.i];
      case 'mapper':
        return (old) => {
          log.push(['F', encode(old)]);
          if (value.throw) {
            throw new Thrown(value.throw);
          }
          return value.do === 'old'
            ? old
            : value.do === 'increment'
              ? (typeof old === 'number' ? old : 0) + 1
              : decode(value.v, args);
        };
      default:
        return ODD[value.$](value);
    }
  };

  const dump = () => {
    const state = [
      store.getJson(),
      store.getTableIds().map((tableId) => [
        tableId,
        store.getRowCount(tableId),
        store.getTableCellIds(tableId),
        store.getRowIds(tableId).map((rowId) => [rowId, store.getCellIds(tableId, rowId)]),
      ]),
      store.getValueIds(),
      [store.hasTables(), store.hasValues()],
    ];
    const text = JSON.stringify(state);
    if (text !== lastDump) {
      lastDump = text;
      log.push(['D', ...state]);
    }
  };

  const encodeArgument = (kind, ids) => (argument) => {
    if (argument === store) {
      return {$: 'store'};
    }
    if (typeof argument !== 'function') {
      return encode(argument);
    }
    if (ID_CHANGES.has(kind)) {
      return encode(argument());
    }
    if (VALUE_CHANGES.has(kind)) {
      return [...ids.map((id) => [id]), ...probes.values.map((id) => [id])].map((path) => encode(argument(...path)));
    }
    return [...(ids.length === 3 ? [ids] : []), ...probes.cells].map((path) => encode(argument(...path)));
  };

  const getListener = ({kind, label, ops = [], budget = 0, throw: thrown, ids = []}, count) => {
    let calls = 0;
    return (...args) => {
      const [first, ...others] = args;
      const given = others.slice(0, ids.length);
      while (others.length < count) {
        others.push(undefined);
      }
      log.push(['L', label, first === store, ...others.map(encodeArgument(kind, given))]);
      if (calls++ < budget) {
        runOps(ops, given);
        if (thrown) {
          throw new Thrown(thrown);
        }
      }
    };
  };

  const getRollback = (rollback) =>
    rollback
      ? (first) => {
          log.push(['K', first === store]);
          runOps(rollback.ops ?? []);
          if (rollback.throw) {
            throw new Thrown(rollback.throw);
          }
          return decode(rollback.returns);
        }
      : undefined;

  // What a middleware callback does with the thing it is shown.
  const transform = ({do: action, path, v}, thing) => {
    if (action === 'pass') {
      return thing;
    }
    if (action === 'cancel') {
      return undefined;
    }
    if (action === 'const') {
      return decode(v);
    }
    let node = thing;
    for (const key of path.slice(0, -1)) {
      if (!Array.isArray(node) && !(Object.hasOwn(node, key) && isPlain(node[key]))) {
        if (action === 'drop') {
          return thing;
        }
        define(node, key, {});
      }
      node = node[key];
      if (!isPlain(node)) {
        return thing;
      }
    }
    const last = path[path.length - 1];
    if (action === 'drop') {
      delete node[last];
    } else {
      define(node, last, decode(v));
    }
    return thing;
  };

  const getWill = ({kind, label, throw: thrown, budget = 0, ...rest}) => {
    let calls = 0;
    return (...args) => {
      log.push(['M', label, ...args.map(encode)]);
      const active = calls++ < budget;
      if (active && thrown) {
        throw new Thrown(thrown);
      }
      return kind.startsWith('will_del')
        ? !active || rest.do === 'pass'
        : active
          ? transform(rest, args[args.length - 1])
          : args[args.length - 1];
    };
  };

  const collect = (level, args) => {
    const items = [];
    if (level === 'table') {
      store.forEachTable((tableId, forEachRow) => {
        const rows = [];
        forEachRow((rowId, forEachCell) => {
          const cells = [];
          forEachCell((...pair) => cells.push(pair));
          rows.push([rowId, cells]);
        });
        items.push([tableId, rows]);
      });
    } else if (level === 'row') {
      store.forEachRow(...args, (rowId, forEachCell) => {
        const cells = [];
        forEachCell((...pair) => cells.push(pair));
        items.push([rowId, cells]);
      });
    } else {
      store['forEach' + pascal(level)](...args, (...pair) => items.push(pair));
    }
    return items;
  };

  const getSortArguments = (sort) => ({
    ...Object.fromEntries(
      Object.entries(sort).map(([key, value]) => [camel(key), decode(value)]),
    ),
    ...(sort.sorter
      ? {
          sorter: {
            zero: () => 0,
            descending: (key1, key2) =>
              (typeof key2 === 'number' ? key2 : 0) - (typeof key1 === 'number' ? key1 : 0),
          }[sort.sorter],
        }
      : {}),
  });

  const special = {
    transaction: ({ops, rollback, returns}, args) =>
      store.transaction(() => {
        runOps(ops, args);
        return decode(returns, args);
      }, getRollback(rollback)),
    finish_transaction: ({rollback}) => store.finishTransaction(getRollback(rollback)),
    throw: ({label}) => {
      throw new Thrown(label);
    },
    add_listener: (op) => {
      const {kind, ids = [], mutator} = op;
      const listener = getListener(op, ARGUMENT_COUNTS[kind]);
      const method = store['add' + pascal(kind) + 'Listener'];
      if (kind !== 'sorted_row_ids') {
        return method(...ids, listener, ...(mutator === undefined ? [] : [mutator]));
      }
      const sort = getSortArguments(op.sort);
      return op.form === 'args'
        ? method(sort, listener, mutator)
        : method(sort.tableId, sort.cellId, sort.descending, sort.offset, sort.limit, listener, mutator);
    },
    get_sorted_row_ids: ({sort, form}) => {
      const args = getSortArguments(sort);
      return form === 'args'
        ? store.getSortedRowIds(args)
        : store.getSortedRowIds(args.tableId, args.cellId, args.descending, args.offset, args.limit);
    },
    get_listener_stats: () => getStats(store),
    for_each: ({level, args}) => collect(level, args),
    middleware: (op) => {
      middleware()['add' + pascal(op.kind) + 'Callback'](getWill(op));
    },
    destroy_middleware: () => {
      middleware().destroy();
      madeMiddleware = undefined;
    },
    checkpoints: ({name, args = []}) => {
      if (name === 'get_listener_stats') {
        return getStats(checkpoints());
      }
      const result = checkpoints()[camel(name)](...args.map((arg) => decode(arg)));
      return result === checkpoints() ? {checkpoints: true} : result;
    },
    checkpoint_listener: ({ids, label, kind}) =>
      checkpoints()['add' + pascal(kind) + 'Listener'](...ids, (first, ...others) => {
        log.push(['C', label, first === checkpoints(), ...others.map(encode)]);
        log.push(['C', encode(checkpoints().getCheckpointIds())]);
      }),
    for_each_checkpoint: () => {
      const items = [];
      checkpoints().forEachCheckpoint((...pair) => items.push(pair));
      return items;
    },
  };

  const runOp = (op, args) => {
    try {
      const result = special[op.op]
        ? special[op.op](op, args)
        : store[camel(op.op)](...(op.args ?? []).map((arg) => decode(arg, args)));
      log.push(['R', op.op, result === store ? {$: 'store'} : encode(result)]);
    } catch (error) {
      log.push(['E', op.op, error instanceof Thrown ? error.label : '']);
      if (op.catch === false) {
        throw error;
      }
    }
  };
  const runOps = (ops, args) => ops.forEach((op) => runOp(op, args));

  program.ops.forEach((op, index) => {
    log.push(['O', index]);
    runOp({...op, catch: true}, []);
    dump();
  });
  return log;
};

for await (const line of createInterface({input: process.stdin, crlfDelay: Infinity})) {
  const program = JSON.parse(line);
  const trace = runProgram(program, await storeCreator(program.corrections ?? []));
  process.stdout.write(JSON.stringify(trace) + '\n');
}
