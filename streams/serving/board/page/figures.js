// The headline figures: each with what it stands on, and plain words where there is none.

import { element, mark, reconcile, write } from "./dom.js";
import { count, n, percent, span, spanText } from "./words.js";

const CARDS = [
  { id: "lead_response_time_p50", label: "First response, median", notes: [samples, also("lead_response_time_p90", "p90")] },
  { id: "response_within_sla_ratio", label: "Answered within SLA", bar: true, notes: [parts, also("sla_breaches", "breached")] },
  { id: "leads_created", label: "New leads", notes: [also("leads_followed_up_ratio", "followed up")] },
  { id: "touches", label: "Touches", notes: [also("calls", "calls"), also("emails", "emails")] },
  { id: "call_connect_ratio", label: "Calls connected", bar: true, notes: [parts] },
  { id: "reply_ratio", label: "Leads that replied", bar: true, notes: [parts] },
  { id: "meetings_booked", label: "Meetings booked", notes: [also("meeting_acceptance_ratio", "of replies")] },
  { id: "meeting_show_ratio", label: "Meetings held", bar: true, notes: [parts] },
];

const NOTHING = { value: null, numerator: 0, denominator: null, state: "no_traffic" };
const UNKNOWN = { ...NOTHING, state: "unknown" };

const isTime = (id) => /_p\d\d$/.test(id);

/** A figure of some cells; one without a row has had no traffic, and without cells nothing is known yet. */
export const figure = (cells, id) => (cells ? cells[id] ?? NOTHING : UNKNOWN);

/** What a value rests on: the denominator of a ratio, the samples of a time. */
export const restsOn = (cell) => cell.denominator ?? cell.numerator;

/** A value in words. */
export function told(id, cell) {
  if (cell.value === null) return "–";
  if (id.endsWith("_ratio")) return percent(cell.value);
  return isTime(id) ? spanText(cell.value) : count(cell.value);
}

/** Why there is no value, in words; empty if there is one. */
export function missing(cell) {
  if (cell.state === "insufficient") return `too few: ${n(restsOn(cell))}`;
  return cell.state === "no_traffic" ? "no traffic" : "";
}

function samples(cell) {
  return cell.value === null ? missing(cell) : n(cell.numerator);
}

/** The parts of a ratio. */
export function parts(cell) {
  return cell.value === null ? missing(cell) : `${count(cell.numerator)} of ${count(cell.denominator)}`;
}

/** Another figure beside the one of the card; a ratio or time with what it stands on. */
function also(id, words) {
  return (_, cells) => {
    const cell = figure(cells, id);
    if (cell.value === null) return cell.state === "insufficient" ? `${words} –, too few` : "";
    if (id.endsWith("_ratio")) return `${told(id, cell)} ${words} (${n(cell.denominator)})`;
    return isTime(id) ? `${words} ${told(id, cell)}` : `${told(id, cell)} ${words}`;
  };
}

/** Show the figures of the whole, a team or a rep. */
export function showFigures(cells) {
  reconcile(document.getElementById("cards"), CARDS, (card) => card.id, makeCard, (node, card) => {
    const cell = figure(cells, card.id);
    const { value, fill, notes } = node.parts;
    mark(node, "data-state", cell.value === null ? cell.state : "ok");
    mark(value, "value", cell.value ?? "");
    spell(value, card.id, cell);
    fill.style.inlineSize = `${100 * Math.min(1, cell.value ?? 0)}%`;
    card.notes.forEach((note, number) => write(notes[number], note(cell, cells)));
  });
}

function makeCard(card) {
  const value = element("data", "value");
  value.dataset.kpi = card.id;
  const notes = card.notes.map(() => element("span", "note"));
  const fill = element("i", "");
  const track = element("dd", "track", fill);
  track.style.visibility = card.bar ? "" : "hidden"; // its room is kept, so that notes stand in line
  mark(track, "aria-hidden", "true");
  const node = element("div", "card", element("dt", "", card.label), element("dd", "", value), track, element("dd", "notes", ...notes));
  node.parts = { value, fill, notes };
  return node;
}

/** A value in large figures with small units. */
function spell(node, id, cell) {
  const text = told(id, cell);
  if (node.spelt === text) return;
  node.spelt = text;
  if (cell.value === null || !isTime(id)) node.replaceChildren(text);
  else node.replaceChildren(...span(cell.value).flatMap(([number, unit]) => [number, element("small", "", ` ${unit} `)]));
}
