// Who waits: the number, and the leads by the time that is left.

import { element, mark, named, reconcile, write } from "./dom.js";
import { count, running } from "./words.js";

const warned = { half: 0.5, soon: 0.8 }; // the shares of the time until due at which warnings are sent

/** Take over the shares at which the exporter's rules warn. */
export function warnAt([half, soon]) {
  Object.assign(warned, { half: half / 100, soon: soon / 100 });
}

const at = (id) => document.getElementById(id);

/** How a lead stands at an instant: late, soon, half, calm; open if nothing says when it is due. */
function stateOf(lead, now) {
  if (lead.due === null) return "open";
  if (lead.due <= now) return "late";
  const gone = share(lead, now);
  return gone >= warned.soon ? "soon" : gone >= warned.half ? "half" : "calm";
}

const share = (lead, now) => Math.min(1, Math.max(0, (now - lead.since) / (lead.due - lead.since)));

/** Show the queue as it is at an instant. `queue` is the last that was told, or null; `stranger` says that it is nobody's. */
export function showQueue(queue, now, stranger) {
  if (!queue) return; // what is not known yet is a dash, as the page has it from the start
  const listed = [...queue.missed, ...queue.ahead];
  const late = listed.filter((lead) => stateOf(lead, now) === "late").reverse();
  const ahead = listed.filter((lead) => stateOf(lead, now) !== "late");
  const lateTotal = queue.overdue + late.filter((lead) => !lead.overdue).length;
  const listedSoon = ahead.filter((lead) => stateOf(lead, now) === "soon").length;
  const soon = ahead.length < queue.total - lateTotal ? Math.max(queue.soon, listedSoon) : listedSoon;
  showTotals(queue, { late: lateTotal, soon, calm: queue.total - lateTotal - soon }, now);
  showStranger(stranger);
  showList(at("ahead"), ahead, queue.total - lateTotal, now);
  showList(at("missed"), late, lateTotal, now);
  document.title = `${lateTotal ? `(${lateTotal}) ` : ""}${count(queue.total)} waiting · Leadbeat`;
}

/** How many are overdue at an instant, for those who listen. */
export const overdueAt = (queue, now) =>
  queue.overdue + [...queue.missed, ...queue.ahead].filter((lead) => !lead.overdue && stateOf(lead, now) === "late").length;

function showTotals(queue, parts, now) {
  const total = at("total");
  write(total, count(queue.total));
  mark(total, "value", queue.total);
  mark(total, "data-long", queue.total > 999 ? "" : null);
  for (const [part, number] of Object.entries(parts)) {
    write(at(`count-${part}`), count(number));
    mark(at(`count-${part}`).parentElement, "data-none", number ? null : "");
    at("share").querySelector(`[data-state=${part}]`).style.flexGrow = number;
  }
  write(at("longest"), queue.since === null ? "" : `longest ${running(Math.max(0, now - queue.since))}`);
  for (const id of ["parts", "share", "longest"]) at(id).hidden = queue.total === 0;
  at("nobody").hidden = queue.total > 0;
}

/** That nobody waits for whom nobody knows is no good news. */
function showStranger(stranger) {
  const note = at("stranger");
  write(note, stranger);
  note.hidden = !stranger;
  if (!stranger) return;
  write(at("total"), "–");
  at("nobody").hidden = true;
}

function showList(section, leads, total, now) {
  section.hidden = leads.length === 0;
  write(section.querySelector("h3 span"), count(total));
  reconcile(section.querySelector("ol"), leads, (lead) => `${lead.connection}:${lead.lead}`, makeLead, (row, lead) => {
    updateLead(row, lead, now);
  });
  const rest = section.querySelector(".rest");
  rest.hidden = total <= leads.length;
  write(rest, `and ${count(total - leads.length)} more`);
  const more = section.querySelector(".more");
  more.hidden = leads.length <= 6;
  write(more, more.getAttribute("aria-expanded") === "true" ? "Show fewer" : `Show all ${count(leads.length)}`);
}

function makeLead() {
  const row = element("li", "lead");
  row.parts = {
    left: element("span", "left"),
    word: element("span", "word"),
    lead: named("id", ""),
    rep: named("rep", ""),
    rest: named("", ""),
    waited: element("span", "waited"),
    fill: element("i", ""),
  };
  const { left, word, lead, rep, rest, waited, fill } = row.parts;
  row.append(
    element("div", "due", left, " ", word),
    element("div", "who", lead, " ", element("span", "whose", rep, " ", rest)),
    element("div", "age", waited, " ", element("span", "word", "waiting")),
    element("div", "track", fill),
  );
  return row;
}

function updateLead(row, lead, now) {
  const { left, word, lead: id, rep, rest, waited, fill } = row.parts;
  const state = stateOf(lead, now);
  mark(row, "data-state", state);
  mark(row, "data-lead", lead.lead);
  // Whole seconds, so that the three clocks of a row tick together.
  const remaining = lead.due === null ? null : Math.ceil((lead.due - now) / 1000) * 1000;
  write(left, remaining === null ? "–" : running(Math.abs(remaining)));
  write(word, remaining === null ? "no due time" : remaining > 0 ? "left" : "over");
  write(id, lead.lead);
  mark(id, "title", `${lead.lead} (${lead.connection})`);
  write(rep, lead.rep);
  mark(rep, "data-unassigned", lead.rep === "unassigned" ? "" : null);
  write(rest, [lead.team, lead.lead_source].filter((name) => name !== lead.rep).join(" · "));
  write(waited, running(Math.max(0, Math.floor((now - lead.since) / 1000) * 1000)));
  fill.style.inlineSize = `${lead.due === null ? 0 : 100 * share(lead, now)}%`;
}

/** Let "Show all" do so. */
export function listen(again) {
  for (const more of document.querySelectorAll(".list .more")) {
    more.addEventListener("click", () => {
      mark(more, "aria-expanded", more.getAttribute("aria-expanded") !== "true");
      again();
    });
  }
}
