// What a page for the tests of shared text in a browser loads: Quill and ProseMirror with their bindings to Yjs.
// tests/support/editors.py bundles, serves and drives it.
import {EditorState, TextSelection} from 'prosemirror-state';
import {EditorView} from 'prosemirror-view';
import {schema} from 'prosemirror-schema-basic';
import Quill from 'quill';
import {
  absolutePositionToRelativePosition,
  relativePositionToAbsolutePosition,
  redo,
  undo,
  yCursorPlugin,
  ySyncPlugin,
  ySyncPluginKey,
  yUndoPlugin,
  yUndoPluginKey,
} from 'y-prosemirror';
import {QuillBinding} from 'y-quill';
import {WebsocketProvider} from 'y-websocket';
import * as Y from 'yjs';

// Where others are, as y-quill tells the module that draws them (quill-cursors has this form).
class Cursors {
  at = {};
  createCursor(id) {
    this.at[id] ??= null;
  }
  moveCursor(id, range) {
    this.at[id] = [range.index, range.length];
  }
  removeCursor(id) {
    delete this.at[id];
  }
}
Quill.register('modules/cursors', Cursors);

const doc = new Y.Doc();
let provider;
// Have the page in a room; resolves when it has what the server has.
globalThis.join = ({url, room}) => {
  provider = new WebsocketProvider(url, room, doc, {disableBc: true});
  return new Promise((resolve) => provider.once('sync', resolve));
};
globalThis.leave = () => provider.disconnect();
globalThis.comeBack = () => {
  const synced = new Promise((resolve) => provider.once('sync', resolve));
  provider.connect();
  return synced;
};
// Wait until something holds, looking again after each change of the document and of what others tell.
globalThis.until = (condition) =>
  new Promise((resolve) => {
    const look = () => {
      const found = condition();
      if (found === undefined || found === null || found === false) return;
      clearInterval(timer);
      resolve(found);
    };
    const timer = setInterval(look, 10); // views follow the document in turns of their own
    look();
  });
// The JSON text of a value, whatever the order of its keys.
globalThis.sorted = (value) =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === 'object' && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part,
  );
// The type at a path of map keys: the first is a root's name.
const typeAt = ([root, ...keys], kind) => {
  let at = keys.length ? doc.getMap(root) : doc.get(root, kind);
  for (const key of keys) at = at instanceof Y.Map ? at.get(key) : undefined;
  return at instanceof kind ? at : undefined;
};
const element = document.getElementById('editor');

// Open Quill on a Y.Text.
globalThis.openQuill = async (path) => {
  const type = await until(() => typeAt(path, Y.Text));
  const quill = new Quill(element, {modules: {cursors: true, history: {maxStack: 0}}});
  const binding = new QuillBinding(type, quill, provider.awareness);
  const undoing = new Y.UndoManager(type, {trackedOrigins: new Set([binding])});
  globalThis.editor = {
    select: (index, length) => (quill.focus(), quill.setSelection(index, length)),
    format: (name, value) => quill.format(name, value),
    content: () => quill.getContents().ops,
    insertEmbed: (index, kind, value) => quill.insertEmbed(index, kind, value, 'user'),
    undo: () => void undoing.undo(),
    redo: () => void undoing.redo(),
    cursors: () => Object.fromEntries(Object.entries(binding.quillCursors.at).filter(([, at]) => at)),
  };
};

// Open ProseMirror with its basic schema on a Y.XmlFragment.
globalThis.openProseMirror = async (path) => {
  const type = await until(() => typeAt(path, Y.XmlFragment));
  const enter = (view, event) => {
    if (event.key !== 'Enter') return false;
    view.dispatch(view.state.tr.deleteSelection().split(view.state.selection.from));
    return true;
  };
  const plugins = [ySyncPlugin(type), yCursorPlugin(provider.awareness), yUndoPlugin()];
  const view = new EditorView(element, {state: EditorState.create({schema, plugins}), handleKeyDown: enter});
  // A place in the text as Python has it: blocks are lines, and what has no text is one unit.
  const places = () => {
    const found = [];
    view.state.doc.descendants((node, at) => {
      if (node.isTextblock) for (let i = 0; i <= node.content.size; i++) found.push(at + 1 + i);
      else if (node.isBlock && node.isLeaf) found.push(at, at + 1);
      return !node.isTextblock;
    });
    return found;
  };
  const select = (index, length = 0) => {
    const at = places();
    view.focus();
    view.dispatch(view.state.tr.setSelection(TextSelection.create(view.state.doc, at[index], at[index + length])));
  };
  const place = (position) => {
    const {mapping} = ySyncPluginKey.getState(view.state).binding;
    const at = relativePositionToAbsolutePosition(doc, type, Y.createRelativePositionFromJSON(position), mapping);
    return at === null ? null : places().indexOf(at);
  };
  globalThis.editor = {
    select,
    format: (name, attrs) => {
      const {from, to} = view.state.selection;
      const mark = schema.marks[name];
      view.dispatch(attrs ? view.state.tr.addMark(from, to, mark.create(attrs)) : view.state.tr.removeMark(from, to, mark));
    },
    setBlock: (name, attrs) => {
      const {from, to} = view.state.selection;
      view.dispatch(view.state.tr.setBlockType(from, to, schema.nodes[name], attrs));
    },
    insertNode: (name, attrs) => view.dispatch(view.state.tr.replaceSelectionWith(schema.nodes[name].create(attrs))),
    content: () => view.state.doc.toJSON().content,
    text: () => view.state.doc.textBetween(0, view.state.doc.content.size, '\n', '\ufffc'),
    stopCapturing: () => yUndoPluginKey.getState(view.state).undoManager.stopCapturing(),
    undo: () => void undo(view.state),
    redo: () => void redo(view.state),
    // Others' cursors, as the places of their heads, and one's own as it is told to them.
    cursors: () =>
      Object.fromEntries(
        [...provider.awareness.getStates()]
          .filter(([client, state]) => client !== doc.clientID && state.cursor)
          .map(([client, {cursor}]) => [client, [place(cursor.anchor), place(cursor.head)]]),
      ),
    place,
    position: (index) =>
      JSON.parse(JSON.stringify(absolutePositionToRelativePosition(places()[index], type, ySyncPluginKey.getState(view.state).binding.mapping))),
    drawn: () => view.dom.querySelectorAll('.ProseMirror-yjs-cursor').length,
  };
};
globalThis.Y = Y;
globalThis.doc = doc;
globalThis.ownCursor = () => JSON.parse(JSON.stringify(provider.awareness.getLocalState().cursor ?? null));
