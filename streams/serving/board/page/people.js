// Reps, or teams, side by side: sortable, and each of them can be chosen for the whole page.

import { element, held, mark, named, reconcile, write } from "./dom.js";
import { figure, missing, parts, restsOn, told } from "./figures.js";
import { count, n } from "./words.js";

const NOBODY = { waiting: 0, overdue: 0 };

const COLUMNS = [
  { id: "name", label: "Rep" },
  { id: "waiting", label: "Waiting" },
  { id: "lead_response_time_p50", label: "First response", note: (cell) => missing(cell) || n(restsOn(cell)), low: true },
  { id: "response_within_sla_ratio", label: "Within SLA", note: parts, bar: true },
  { id: "touches", label: "Touches" },
  { id: "replies", label: "Replies", note: beside("reply_ratio", "replied") },
  { id: "meetings_booked", label: "Meetings", note: beside("meeting_show_ratio", "held") },
];

/** A ratio as the note of a count, with its n. */
function beside(id, words) {
  return (_, cells) => {
    const cell = figure(cells, id);
    if (cell.value === null) return cell.state === "insufficient" ? `– ${words}, ${n(cell.denominator)}` : "";
    return `${told(id, cell)} ${words}, ${n(cell.denominator)}`;
  };
}

export class People {
  /** `onChoose(dim, name)` when somebody is chosen. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.sort = { id: "name", down: false };
    this.heads = new Map(COLUMNS.map((column) => [column.id, this.head(column)]));
    document.getElementById("columns").append(...this.heads.values());
  }

  head(column) {
    const button = element("button", "", element("span", "", column.label));
    button.type = "button";
    const cell = element("th", column.id === "name" ? "" : "number", button);
    cell.scope = "col";
    cell.setAttribute("role", "columnheader");
    button.addEventListener("click", () => {
      const again = this.sort.id === column.id;
      // The first click shows what one looks for: names from A, the quickest, else the most.
      this.sort = { id: column.id, down: again ? !this.sort.down : column.id !== "name" && !column.low };
      this.show(this.kpis, this.queue, this.dim, this.chosen);
    });
    return cell;
  }

  /** Show those of a dimension; `chosen` is the name that the page is narrowed to, if it is one of them. */
  show(kpis, queue, dim, chosen) {
    Object.assign(this, { kpis, queue, dim, chosen });
    if (!kpis) return;
    const tallies = queue?.[`by_${dim}`] ?? {};
    const names = new Set([...Object.keys(kpis[dim]), ...Object.keys(tallies)]);
    const rows = [...names].map((name) => ({ name, cells: held(kpis[dim], name) ?? {}, tally: held(tallies, name) ?? NOBODY }));
    rows.sort((one, other) => this.compare(one, other));
    write(this.heads.get("name").querySelector("span"), dim === "rep" ? "Rep" : "Team");
    for (const [id, head] of this.heads) {
      mark(head, "aria-sort", id === this.sort.id ? (this.sort.down ? "descending" : "ascending") : null);
    }
    const body = document.getElementById("people");
    reconcile(body, rows, (row) => `${dim}=${row.name}`, (row) => this.make(row), (node, row) => this.update(node, row));
    document.getElementById("no-people").hidden = rows.length > 0;
  }

  compare(one, other) {
    const [a, b] = [one, other].map((row) => this.rank(row));
    const byName = one.name.localeCompare(other.name, "en");
    if (a === b) return byName;
    if (a === null || b === null) return a === null ? 1 : -1; // what has no value stands last, whichever way
    const order = typeof a === "string" ? byName : a - b;
    return this.sort.down ? -order : order;
  }

  rank({ name, cells, tally }) {
    if (this.sort.id === "name") return name;
    return this.sort.id === "waiting" ? tally.waiting : figure(cells, this.sort.id).value;
  }

  make({ name }) {
    const button = element("button", "", named("", name));
    button.type = "button";
    button.addEventListener("click", () => this.onChoose(this.dim, this.chosen === name ? "" : name));
    const row = element("tr");
    row.setAttribute("role", "row");
    row.parts = { button, cells: new Map() };
    const head = element("th", "", button);
    head.scope = "row";
    head.setAttribute("role", "rowheader");
    row.append(head);
    for (const column of COLUMNS.slice(1)) row.append(makeCell(row, column));
    return row;
  }

  update(row, { name, cells, tally }) {
    mark(row.parts.button, "aria-pressed", name === this.chosen);
    mark(row, "data-name", name);
    for (const column of COLUMNS.slice(1)) {
      const { value, note, fill, cell } = row.parts.cells.get(column.id);
      if (column.id === "waiting") {
        write(value, count(tally.waiting));
        mark(value, "value", tally.waiting);
        write(note, tally.overdue ? `${count(tally.overdue)} overdue` : "");
        mark(cell, "data-state", tally.overdue ? "late" : null);
        continue;
      }
      const found = figure(cells, column.id);
      write(value, told(column.id, found));
      mark(value, "value", found.value ?? "");
      write(note, column.note ? column.note(found, cells) : "");
      mark(cell, "data-state", found.value === null ? found.state : null);
      if (fill) fill.style.inlineSize = `${100 * (found.value ?? 0)}%`;
    }
  }
}

function makeCell(row, column) {
  const value = element("data", "value");
  value.dataset.kpi = column.id;
  const note = element("span", "note");
  const fill = column.bar ? element("i", "") : null;
  const cell = element("td", "number", value, " ", note);
  if (fill) {
    const track = element("span", "track", fill);
    track.setAttribute("aria-hidden", "true");
    cell.prepend(track);
  }
  cell.setAttribute("role", "cell");
  cell.dataset.label = column.label;
  row.parts.cells.set(column.id, { value, note, fill, cell });
  return cell;
}
