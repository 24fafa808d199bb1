// Commands on a Y.Text: edits, what it is, and relative positions.
import * as Y from 'yjs';
import {getPeer} from './peers.mjs';

// The text at a path of map keys, which starts with the name of a root map; made where it is missing.
const textAt = (doc, [root, ...path]) => {
  let found = doc.getMap(root);
  for (const key of path) {
    if (!found.has(key)) found.set(key, key === path.at(-1) ? new Y.Text() : new Y.Map());
    found = found.get(key);
  }
  if (!(found instanceof Y.Text)) throw new Error(`no text at ${JSON.stringify([root, ...path])}`);
  return found;
};

export const textCommands = {
  // One transaction of [method, ...arguments].
  'text.edit': ({name, path, edits}) => {
    const {doc} = getPeer(name);
    doc.transact(() => {
      const text = textAt(doc, path);
      edits.forEach(([method, ...args]) => text[method](...args));
    });
  },
  'text.read': ({name, path}) => {
    const text = textAt(getPeer(name).doc, path);
    return {delta: text.toDelta(), length: text.length};
  },
  'text.position': ({name, path, index, assoc}) =>
    Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(textAt(getPeer(name).doc, path), index, assoc)),
  'text.index': ({name, position}) =>
    Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(position), getPeer(name).doc)?.index,
};
