// Tables: column-wise data in, a DataTable out. Every text from the data passes through escapeText or textContent.

const FORMS = {
  plain: (v) => String(v),
  integer: (v) => v.toLocaleString("en-GB"),
  fraction: (v) => v.toFixed(3),
  signed: (v) => (v < 0 ? "−" : "+") + Math.abs(v).toFixed(3),
  percent: (v) => (100 * v).toFixed(1) + " %",
  kilobytes: (v) => (v / 1000).toLocaleString("en-GB", { maximumFractionDigits: v < 1e5 ? 1 : 0 }),
  milliseconds: (v) => v.toFixed(v < 10 ? 2 : 1),
  ratio: (v) => v.toFixed(1) + "×",
  decimal: (v) => v.toFixed(1),
  change: (v) => (v < 0 ? "−" : "+") + Math.abs(v).toFixed(1),
};

function readData(name) {
  return JSON.parse(document.getElementById("data-" + name).textContent);
}

function escapeText(text) {
  return text.replace(/[&<>"']/g, (c) => "&#" + c.charCodeAt(0) + ";");
}

function formatted(value, form) {
  if (value === null) return "";
  return typeof value === "number" ? FORMS[form](value) : String(value);
}

function textOf(column, row) {
  return column.values[column.codes[row]];
}

// What DataTables asks of a cell: to show it, to search in it (it decodes entities there, as HTML), or to sort by it.
function cell(column, row, purpose) {
  if (column.kind === "text") {
    const text = textOf(column, row);
    return purpose === "sort" ? text : escapeText(text);
  }
  const value = column.values[row];
  if (purpose !== "display") return typeof value === "number" ? value : -Infinity;
  let shown = escapeText(formatted(value, column.form));
  if (column.stars && column.stars.has(row)) shown += '*<span class="sr"> significant</span>';
  if (column.low && typeof column.low[row] === "number") {
    const ends = [column.low[row], column.high[row]].map((v) => escapeText(formatted(v, column.form)));
    shown += `<span class="ci">${ends[0]} to ${ends[1]}</span>`;
  }
  return shown;
}

function asDataTableColumn(column, index) {
  const number = column.kind === "number";
  if (column.marked) column.stars = new Set(column.marked);
  return {
    title: escapeText(column.title),
    data: (row, purpose) => cell(column, row[0], purpose),
    type: number ? "num" : "string",
    searchable: !number,
    visible: column.show !== false,
    className: number ? "num" : "",
    orderSequence: number ? ["desc", "asc", ""] : ["asc", "desc", ""],
    cellType: index === 0 ? "th" : "td",
    createdCell: index === 0 ? (made) => made.setAttribute("scope", "row") : undefined,
  };
}

function buildTable(host, data) {
  const name = host.dataset.table;
  const label = document.getElementById(name + "-caption");
  const element = document.createElement("table");
  const caption = Object.assign(element.createCaption(), { className: "tacit" });
  caption.append(label);
  const choices = document.createElement("div");
  choices.className = "choices";
  host.append(choices, element);
  const table = new DataTable(element, {
    data: Array.from({ length: data.rows }, (_, i) => [i]),
    columns: data.columns.map(asDataTableColumn),
    order: [],
    autoWidth: false,
    deferRender: true,
    pageLength: 25,
    lengthMenu: [10, 25, 100],
    layout: { topStart: "info", topEnd: null, bottomStart: "pageLength", bottomEnd: "paging" },
    language: {
      info: "_START_ to _END_ of _TOTAL_ rows",
      infoEmpty: "No rows",
      infoFiltered: "(of _MAX_)",
      lengthMenu: "_MENU_ rows a page",
      zeroRecords: "No row fits these choices.",
      thousands: ",",
    },
  });
  element.querySelectorAll("thead th").forEach((heading, i) => {
    const shown = data.columns.filter((c) => c.show !== false)[i];
    if (shown.help) heading.title = shown.help;
    heading.scope = "col";
  });
  const wrap = element.closest(".dt-layout-table");
  if (wrap) {
    wrap.tabIndex = 0;
    wrap.setAttribute("role", "region");
    wrap.setAttribute("aria-labelledby", label.id);
  }
  host.querySelector(".dt-paging nav")?.setAttribute("aria-label", "Pages of the table " + name);
  addSearch(choices, table);
  data.columns.forEach((column, i) => column.filtered && column.values.length > 1 && addChoice(choices, table, column, i));
  return table;
}

function labelled(title, control) {
  const label = document.createElement("label");
  label.append(title, control);
  return label;
}

function addSearch(choices, table) {
  const input = document.createElement("input");
  input.type = "search";
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => table.search(input.value).draw(), 150);
  });
  choices.append(labelled("Search", input));
}

function addChoice(choices, table, column, index) {
  const select = picker([["", "all"], ...column.values.map((v, code) => [String(code), v]).sort((a, b) => natural(a[1], b[1]))]);
  select.addEventListener("change", () => {
    const wanted = Number(select.value);
    table.column(index).search.fixed("choice", select.value === "" ? null : (_, row) => column.codes[row[0]] === wanted);
    table.draw();
  });
  choices.append(labelled(column.title, select));
}

function natural(a, b) {
  return a.localeCompare(b, "en", { numeric: true });
}

function picker(options) {
  const select = document.createElement("select");
  for (const [value, text] of options) select.add(new Option(text, value));
  return select;
}

// A small table that stands beside a figure, rebuilt with it.
function plainTable(host, caption, headings, rows) {
  const table = document.createElement("table");
  table.className = "plain";
  table.createCaption().textContent = caption;
  const head = table.createTHead().insertRow();
  headings.forEach((text, i) => head.append(headerCell(text, "col", i > 0)));
  const body = table.createTBody();
  for (const cells of rows) {
    const line = body.insertRow();
    cells.forEach((text, i) => {
      if (i === 0) line.append(headerCell(text, "row", false));
      else Object.assign(line.insertCell(), { textContent: text, className: "num" });
    });
  }
  host.replaceChildren(table);
  host.tabIndex = 0;
  host.setAttribute("role", "region");
  host.setAttribute("aria-label", caption);
}

function headerCell(text, scope, number) {
  return Object.assign(document.createElement("th"), { textContent: text, scope, className: number ? "num" : "" });
}
