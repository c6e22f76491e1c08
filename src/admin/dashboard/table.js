// table.js - tables whose rows stay the same elements from snapshot to snapshot, so that a focus, a selection and a
// row's details survive an update, and only what changed is touched.
//
// A column: {name, title, className, width, text(row)} or draw(td, row) in place of text; sort(row) makes its head a
// button. options: {key(row), details(row) -> [[name, value], ...], empty}.

class Table {
  constructor(table, columns, options) {
    Object.assign(this, { table, columns, options, rows: [], lines: new Map(), sorted: null });
    const head = element("tr");
    for (const column of columns) head.append(this.makeHead(column));
    this.body = element("tbody");
    const none = element("td", "", options.empty);
    none.colSpan = columns.length;
    this.none = element("tr", "none", none);
    table.replaceChildren(element("thead", "", head), this.body);
  }

  makeHead(column) {
    const th = element("th", column.className || "");
    th.scope = "col";
    if (column.width) th.style.width = column.width;
    if (column.help) th.title = column.help;
    column.head = th;
    if (!column.sort) {
      th.append(column.title);
      return th;
    }
    const button = element("button", "", column.title);
    button.type = "button";
    button.addEventListener("click", () => this.sortBy(column));
    th.append(button);
    return th;
  }

  // Numbers begin with the largest, texts with the first; a third click gives Weir's own order back.
  sortBy(column) {
    const first = this.rows.length && typeof column.sort(this.rows[0]) === "string" ? 1 : -1;
    const before = this.sorted && this.sorted.column === column ? this.sorted.order : 0;
    this.sorted = before === 0 ? { column, order: first } : before === first ? { column, order: -first } : null;
    for (const c of this.columns) {
      if (this.sorted && c === column) c.head.setAttribute("aria-sort", this.sorted.order > 0 ? "ascending" : "descending");
      else c.head.removeAttribute("aria-sort");
    }
    this.update(this.rows);
  }

  inOrder(rows) {
    if (!this.sorted) return rows;
    const { column, order } = this.sorted;
    const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    return rows.map((row, i) => ({ row, i, by: column.sort(row) ?? -1 }))
      .sort((a, b) => order * compare(a.by, b.by) || a.i - b.i).map(x => x.row);
  }

  update(rows) {
    this.rows = rows;
    const present = new Set();
    let at = this.body.firstChild;
    const place = tr => {
      if (tr === at) at = at.nextSibling;
      else this.body.insertBefore(tr, at);
    };
    for (const row of this.inOrder(rows)) {
      const key = this.options.key(row);
      if (present.has(key)) continue;
      present.add(key);
      const line = this.lines.get(key) || this.makeLine(key);
      line.row = row;
      this.drawLine(line);
      place(line.tr);
      if (line.details) place(line.details);
    }
    for (const key of this.lines.keys())
      if (!present.has(key)) this.dropLine(key);
    if (rows.length === 0) this.body.append(this.none);
    else this.none.remove();
    this.table.classList.toggle("empty", rows.length === 0);
  }

  makeLine(key) {
    const tr = element("tr", this.options.details ? "row opens" : "row");
    const line = { key, tr, details: null, cells: [] };
    for (const column of this.columns) {
      const td = element("td", column.className || "");
      tr.append(td);
      line.cells.push(td);
    }
    if (this.options.details) {
      line.button = element("button", "open");
      line.button.type = "button";
      line.button.setAttribute("aria-expanded", "false");
      line.cells[0].append(line.button);
      tr.addEventListener("click", () => {
        if (!String(getSelection())) this.toggle(line);
      });
    }
    this.lines.set(key, line);
    return line;
  }

  drawLine(line) {
    this.columns.forEach((column, i) => {
      const td = line.cells[i];
      if (column.draw) {
        column.draw(td, line.row);
      } else {
        const text = String(column.text(line.row));
        setText(i === 0 && line.button ? line.button : td, text);
        if (td.title !== text && !column.className?.includes("r")) td.title = text;
      }
    });
    if (line.details) this.drawDetails(line);
  }

  toggle(line) {
    if (line.details) {
      line.details.remove();
      line.details = null;
    } else {
      line.details = element("tr", "details", element("td", "", element("dl")));
      line.tr.after(line.details);
      this.drawDetails(line);
    }
    line.button.setAttribute("aria-expanded", String(Boolean(line.details)));
  }

  drawDetails(line) {
    const td = line.details.firstChild, list = td.firstChild;
    // A span over columns that a narrow window hides would make new ones.
    td.colSpan = this.columns.filter(c => c.head.offsetWidth > 0).length || 1;
    const items = this.options.details(line.row).filter(([, value]) => value != null && value !== "");
    while (list.children.length > items.length) list.lastChild.remove();
    items.forEach(([name, value], i) => {
      const item = list.children[i] || list.appendChild(element("div", "", element("dt"), element("dd", "num")));
      setText(item.firstChild, name);
      setText(item.lastChild, value);
    });
  }

  dropLine(key) {
    const line = this.lines.get(key);
    line.tr.remove();
    if (line.details) line.details.remove();
    this.lines.delete(key);
  }
}

// A cell with a small coloured word; `tone` is good, warn, bad or "".
function drawTag(td, text, tone) {
  let tag = td.firstElementChild;
  if (!tag) td.append(tag = element("span", "tag"));
  const className = "tag " + (tone || "plain");
  if (tag.className !== className) tag.className = className;
  tag.hidden = text === "";
  setText(tag, text);
}

// A main text and a dim one behind it.
function drawPair(td, main, more) {
  if (!td.firstChild) td.append(document.createTextNode(""), " ", element("span", "dim"));
  if (td.firstChild.data !== main) td.firstChild.data = main;
  setText(td.lastChild, more);
}
