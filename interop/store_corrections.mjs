// The real TinyBase Store, with or without corrections.
//
// A correction removes exactly one fault of TinyBase from the text of its store module before that is
// loaded, so that programs that meet the fault can still be compared. docs/tinybase-differences.md
// lists them all. Without any, the package is used as published.

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {createStore} from 'tinybase/store';

// Name to replacements: the text to find, what stands in its place ($& is the text found), how often.
const CORRECTIONS = {
  // Rolling back writes the old cells as if a caller gave them: encoded objects are refused, what was
  // deleted comes back at the end of its order, row ids that were used up stay so, and what a schema
  // misses is reported.
  'rollback-restores-everything': [
    ['        arrayPush(pool, id);\n      }\n    },\n', `$&    () => {
      const saved = [...pool];
      const savedNextId = nextId;
      return () => {
        pool.splice(0, pool.length, ...saved);
        nextId = savedNextId;
      };
    },\n`],
    ['const rollbackTransaction = () => {', `let restore;
  const takeSnapshot = () => {
    const saved = [
      [tablesMap, mapClone3(tablesMap)],
      [valuesMap, mapClone(valuesMap)],
      [tableCellIds, mapClone2(tableCellIds)],
      [tablePoolFunctions, mapClone(tablePoolFunctions)],
      [tablesSchemaMap, mapClone2(tablesSchemaMap)],
      [tablesSchemaRowCache, mapClone(tablesSchemaRowCache)],
      [valuesSchemaMap, mapClone(valuesSchemaMap)],
      [valuesDefaulted, mapClone(valuesDefaulted)],
    ];
    const savedSets = arrayMap([valuesNonDefaulted, valuesRequiredNonDefaulted], (set) => [set, [...set]]);
    const restorePools = mapMap(tablePoolFunctions, ([, , savePool]) => savePool());
    restore = () => {
      arrayForEach(saved, ([map, savedMap]) => {
        map.clear();
        savedMap.forEach((value, key) => map.set(key, value));
      });
      arrayForEach(savedSets, ([set, savedItems]) => {
        set.clear();
        savedItems.forEach((item) => set.add(item));
      });
      arrayForEach(restorePools, (restorePool) => restorePool());
    };
  };
  $&
    const refused = [clonedChangedCells(invalidCells), mapClone(invalidValues, pairClone)];
    whileAcceptingEncodedData(() => {`],
    ['    collClear(changedValues);\n  };', `    collClear(changedValues);
    });
    restore();
    arrayForEach([invalidCells, invalidValues], (map, index) => {
      collClear(map);
      mapForEach(refused[index], (key, value) => map.set(key, value));
    });
  };`],
    ['    if (transactions == 1) {\n      try {', '    if (transactions == 1) {\n      takeSnapshot();\n      try {'],
  ],
  // Adding the defaults of a schema to what is no object throws.
  'defaults-need-an-object': [
    [
      'const addDefaultsToRow = (row, tableId, rowId) => {',
      '$& if (!isObject(row)) return row;',
    ],
    ['const addDefaultsToValues = (values) => {', '$& if (!isObject(values)) return values;'],
  ],
  // An object that is added as the default of a schema is reported as invalid, though it is stored.
  'object-defaults-are-valid': [
    [
      '(cellSchema) =>\n            isNull(cell)',
      '(cellSchema) => isEncodedJson(cell) && cell === cellSchema[DEFAULT] ? cell :\n isNull(cell)',
    ],
    [
      '(valueSchema) =>\n            isNull(value)',
      '(valueSchema) => isEncodedJson(value) && value === valueSchema[DEFAULT] ? value :\n isNull(value)',
    ],
  ],
  // Setting JSON swallows what listeners and middleware raise, and setJson then tries again with the text
  // as tables. What listeners write meanwhile may be encoded objects.
  'json-setters-leave-listeners-alone': [
    ['const setTablesJson = (tablesJson) => {', `const setParsed = (json, set) => {
    const parsed = tryReturn(() => [jsonParse(json)]);
    return parsed ? fluentTransaction(() => whileAcceptingEncodedData(() => set(parsed[0]))) : store;
  };
  $& return setParsed(tablesJson, setOrDelTables);`],
    ['const setValuesJson = (valuesJson) => {', '$& return setParsed(valuesJson, setOrDelValues);'],
    ['const setJson = (tablesAndValuesJson) =>', `$& fluentTransaction(() => setParsed(tablesAndValuesJson, (content) => {
    if (!isArray(content)) return setOrDelTables(content);
    setOrDelTables(content[0]);
    setOrDelValues(content[1]);
  }));
  const unusedSetJson = (tablesAndValuesJson) =>`],
  ],
  // Middleware that stops the cells of a new row, or the rows of a new table, leaves it empty.
  'nothing-stays-empty': [
    [
      'mapSet(tablePoolFunctions, tableId, getPoolFunctions());',
      'mapEnsure(tablePoolFunctions, tableId, getPoolFunctions);',
      2,
    ],
    ['const result = actions();', 'const result = tryFinally(actions, pruneEmpty);'],
    ['  const getNewRowId =', `  const pruneEmpty = () =>
    mapForEach(mapClone(tablesMap), (tableId, tableMap) => {
      mapForEach(mapClone(tableMap), (rowId, rowMap) => {
        if (collIsEmpty(rowMap)) {
          rowIdsChanged(tableId, rowId, -1);
          mapSet(tableMap, rowId);
          // Nor does the table keep a place in the order of calls for a row that was never there.
          if (collIsEmpty(mapGet(changedRowIds, tableId))) {
            mapSet(changedRowIds, tableId);
            mapSet(changedRowCount, tableId);
          }
        }
      });
      if (collIsEmpty(tableMap)) {
        tableIdsChanged(tableId, -1);
        mapSet(tablesMap, tableId);
        mapSet(tableCellIds, tableId);
      }
    });
  $&`],
    // A table that lost its last row on the way was out of the Store, and took further rows with it.
    ['  const setValidRow =', `  const attached = (tableId, tableMap) => {
    if (mapGet(tablesMap, tableId) !== tableMap) {
      tableIdsChanged(tableId, 1);
      mapSet(tablePoolFunctions, tableId, getPoolFunctions());
      mapSet(tableCellIds, tableId, mapNew());
      mapSet(tablesMap, tableId, tableMap);
    }
    return tableMap;
  };
  $&`],
    ['if (collIsEmpty(mapSet(table, rowId))) {', `if (collEvery(mapSet(table, rowId), collIsEmpty)) {
          mapForEach(table, (emptyId) => rowIdsChanged(tableId, emptyId, -1));
          collClear(table);`],
    ['mapEnsure(tableMap, rowId, () => {', 'mapEnsure(attached(tableId, tableMap), rowId, () => {', 2],
  ],
  // Undoing asks no middleware, but the default that takes the place of a value is asked about.
  'undo-asks-no-middleware': [
    ['return setValidValue(valueId, defaultValue);', 'return setValidValue(valueId, defaultValue, skipMiddleware);'],
  ],
  // Looking for what to sort anew forgets the cells that were touched and set back.
  'sorting-leaves-changes-alone': [[': collDel(cells, cellId),', ': 0,']],
  // Of several sorted listeners on one table and cell the statistics count one.
  'statistics-count-listeners': [
    ['pairCollSize2(sortedRowIdsListeners)', 'pairCollSize2(sortedRowIdsListeners, collSize3)'],
  ],
};

const stores = new Map([['', createStore]]);
export const storeCreator = async (names) => {
  const key = names.join();
  if (!stores.has(key)) {
    let text = readFileSync(fileURLToPath(import.meta.resolve('tinybase/store')), 'utf8');
    for (const name of names) {
      for (const [find, replacement, times = 1] of CORRECTIONS[name]) {
        const pieces = text.split(find);
        if (pieces.length !== times + 1) {
          throw new Error(`correction ${name} no longer fits TinyBase: ${find}`);
        }
        text = pieces.join(replacement.replace('$&', () => find));
      }
    }
    const url = 'data:text/javascript;base64,' + Buffer.from(text).toString('base64');
    stores.set(key, (await import(url)).createStore);
  }
  return stores.get(key);
};
