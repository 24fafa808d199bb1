// A table of a weft Store in a notebook; src/weft/notebook/widget.py says what it is sent and sends.
// Whatever a cell holds is put in as text, never as HTML.

const SHOWN_ID = 40;

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

class LiveTable {
  constructor(model, el) {
    this.model = model;
    this.columns = [];
    this.rows = new Map(); // row id -> {tr, cells: Map of cell id -> td}
    this.page = {};
    this.editable = false;
    this.editing = null; // {row, cell, td, input, shown: [kind, text] or null}

    this.root = make('div', 'weft-live');
    this.scroll = make('div', 'weft-scroll');
    this.table = make('table');
    this.head = this.table.createTHead().insertRow();
    this.body = this.table.createTBody();
    this.error = make('span', 'weft-error');
    this.error.setAttribute('role', 'alert');
    this.count = make('span', 'weft-count');
    this.back = make('button', 'weft-back', '‹');
    this.back.title = 'previous rows';
    this.next = make('button', 'weft-next', '›');
    this.next.title = 'next rows';
    const foot = make('div', 'weft-foot');
    foot.append(this.back, this.next, this.count, this.error);
    this.scroll.append(this.table);
    this.root.append(this.scroll, foot);
    el.append(this.root);

    this.back.onclick = () => this.show({offset: Math.max(0, this.page.offset - this.page.size)});
    this.next.onclick = () => this.show({offset: this.page.offset + this.page.size});
    this.body.ondblclick = (event) => this.edit(event.target.closest('td'));
    this.body.onkeydown = (event) => {
      if (event.key === 'Enter' && event.target.tagName === 'TD') {
        event.preventDefault();
        this.edit(event.target);
      }
    };
    // A notebook has keys of its own for letters that are typed outside of its editors.
    this.root.dataset.lmSuppressShortcuts = 'true';
    this.root.addEventListener('keydown', (event) => event.stopPropagation());
    this.receive = (message) => this[`on_${message.type}`]?.(message);
    model.on('msg:custom', this.receive);
    model.send({type: 'hello'});
  }

  close() {
    this.model.off('msg:custom', this.receive);
  }

  show(change) {
    const {offset, sort, descending} = this.page;
    this.model.send({type: 'show', offset, sort, descending, ...change});
  }

  on_editable({columns, title}) {
    this.editable = columns;
    this.table.setAttribute('aria-label', title);
  }

  on_page({rows = {}, ids, columns, is_whole, type, ...page}) {
    Object.assign(this.page, page);
    if (is_whole || columns) {
      this.rows.clear();
      this.body.replaceChildren();
      this.columns = columns ?? this.columns;
    }
    const head = JSON.stringify([this.columns, page.sort, page.descending]);
    if (head !== this.drawn) this.drawHead();
    this.drawn = head;
    if (ids) this.order(ids);
    for (const [rowId, cells] of Object.entries(rows)) {
      const row = this.rows.get(rowId);
      for (const [cellId, shown] of Object.entries(cells)) {
        const td = row?.cells.get(cellId);
        if (td) this.fill(td, shown, !is_whole && !row.isNew);
      }
      if (row) row.isNew = false;
    }
    this.drawFoot();
  }

  // The rows of the page, in their order; what stays is not drawn anew.
  order(ids) {
    const wanted = new Set(ids);
    for (const [rowId, {tr}] of this.rows) {
      if (!wanted.has(rowId)) {
        if (this.editing?.row === rowId) this.stop('the row is not here any more');
        tr.remove();
        this.rows.delete(rowId);
      }
    }
    ids.forEach((rowId, at) => {
      if (!this.rows.has(rowId)) this.rows.set(rowId, this.makeRow(rowId));
      const {tr} = this.rows.get(rowId);
      if (this.body.rows[at] !== tr) this.body.insertBefore(tr, this.body.rows[at] ?? null);
    });
  }

  makeRow(rowId) {
    const tr = make('tr');
    const name = make('th', '', rowId.length > SHOWN_ID ? `${rowId.slice(0, SHOWN_ID)}…` : rowId);
    name.scope = 'row';
    name.title = rowId;
    tr.append(name);
    const cells = new Map();
    for (const cellId of this.columns) {
      const td = make('td');
      if (this.editable === true || (this.editable && this.editable.includes(cellId))) {
        td.className = 'weft-editable';
        td.tabIndex = 0;
      }
      td.weft = {row: rowId, cell: cellId, shown: null};
      cells.set(cellId, td);
      tr.append(td);
    }
    return {tr, cells, isNew: true};
  }

  fill(td, shown, hasChanged) {
    td.weft.shown = shown;
    td.dataset.kind = shown ? shown[0] : '';
    if (this.editing?.td === td) return; // drawn when the editing ends
    td.textContent = shown ? shown[1] : '';
    td.title = shown ? shown[1] : '';
    td.classList.remove('weft-changed');
    if (hasChanged) {
      void td.offsetWidth; // or the animation would not begin again
      td.classList.add('weft-changed');
    }
  }

  drawHead() {
    const {sort, descending} = this.page;
    const corner = make('th');
    this.head.replaceChildren(corner);
    for (const cellId of this.columns) {
      const mark = cellId === sort ? (descending ? ' ▼' : ' ▲') : '';
      const th = make('th', '', cellId + mark);
      th.scope = 'col';
      th.dataset.column = cellId;
      if (mark) th.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      // Ascending, descending, and the Store's order again.
      th.onclick = () => {
        if (cellId !== this.page.sort) this.show({offset: 0, sort: cellId, descending: false});
        else if (!this.page.descending) this.show({offset: 0, descending: true});
        else this.show({offset: 0, sort: null, descending: false});
      };
      this.head.append(th);
    }
  }

  drawFoot() {
    const {offset, size, total, more_columns: more} = this.page;
    const last = Math.min(offset + size, total);
    const rows = total ? `${offset + 1} to ${last} of ${total.toLocaleString('en')} rows` : 'no rows';
    this.count.textContent = more ? `${rows}, ${more} more columns` : rows;
    this.back.disabled = offset <= 0;
    this.next.disabled = last >= total;
  }

  // Editing: Enter or leaving the field sends it, Escape gives it up.

  edit(td) {
    if (!td?.classList.contains('weft-editable') || this.editing?.td === td) return;
    this.stop();
    const {row, cell, shown} = td.weft;
    if (shown?.[0] === 'cut') {
      this.error.textContent = 'this cell is too long to be edited here';
      return;
    }
    const input = make('input');
    input.value = shown ? shown[1] : '';
    input.setAttribute('aria-label', `${row} ${cell}`);
    this.editing = {row, cell, td, input, sent: input.value};
    td.replaceChildren(input);
    input.onkeydown = (event) => {
      if (event.key === 'Enter') this.commit(true);
      if (event.key === 'Escape') this.stop();
      event.stopPropagation();
    };
    input.onblur = () => this.commit(false);
    input.focus();
    input.select();
  }

  commit(isAsked) {
    if (!this.editing) return;
    const {row, cell, input, sent} = this.editing;
    if (input.value === sent && !input.classList.contains('weft-refused')) this.stop();
    else if (isAsked || input.value !== sent) {
      this.editing.sent = input.value;
      this.model.send({type: 'edit', row, cell, text: input.value});
    } else this.stop(); // refused before, and left as it was
  }

  stop(reason = '') {
    this.error.textContent = reason;
    if (!this.editing) return;
    const {td, input} = this.editing;
    this.editing = null;
    input.onblur = null;
    this.fill(td, td.weft.shown, false);
    if (document.activeElement === document.body) td.focus();
  }

  on_taken({row, cell}) {
    if (this.editing?.row === row && this.editing.cell === cell) this.stop();
  }

  on_refused({row, cell, reason}) {
    if (this.editing?.row !== row || this.editing.cell !== cell) return;
    this.error.textContent = `${row} ${cell}: ${reason}`;
    this.editing.input.classList.add('weft-refused');
  }
}

export default {
  render({model, el}) {
    const table = new LiveTable(model, el);
    return () => table.close();
  },
};
