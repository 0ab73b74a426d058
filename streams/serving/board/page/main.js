// The page: what is told by the stream, chosen by whoever looks, and ticking by itself.

import { choose, element, held, mark, write } from "./dom.js";
import { beatHeart, showFreshness } from "./freshness.js";
import { showFigures } from "./figures.js";
import { People } from "./people.js";
import { listen, overdueAt, showQueue, warnAt } from "./queue.js";
import { Stream } from "./stream.js";
import { startTheme } from "./theme.js";
import { Timepiece } from "./timepiece.js";
import { windowName } from "./words.js";

const SPEECH_MS = 15_000; // how often, at most, a screen reader is told of the queue

const at = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const timepiece = new Timepiece();
const told = { setup: null, kpis: null, queue: null, beat: null, connection: "", lostAt: 0, remark: "", stranger: "" };
const chosen = { window: asked.get("window"), scope: null, dim: "rep" };
const spoken = { word: "", overdue: null, at: -Infinity };

for (const dim of ["team", "rep"]) if (asked.get(dim)) chosen.scope = { dim, name: asked.get(dim) };
if (chosen.scope) chosen.dim = chosen.scope.dim;

const people = new People((dim, name) => narrow(name ? { dim, name } : null));
const stream = new Stream(
  (name, content) => RECEIVE[name](content),
  (state) => {
    told.connection = state;
    told.lostAt = Date.now();
    tick();
  },
);

const RECEIVE = {
  setup(content) {
    if (told.setup && told.setup.build !== content.build) location.reload(); // the exporter was upgraded meanwhile
    told.setup = content;
    const strange = chosen.window && chosen.window !== content.window;
    told.remark = strange ? `There is no window “${chosen.window}”: these figures are of ${windowName(content.window)}.` : "";
    chosen.window = content.window;
    warnAt(content.warning_percents);
    showWindows();
  },
  kpis(content) {
    told.kpis = content;
    mark(at("main"), "data-window", content.window);
    showAll();
  },
  queue(content) {
    told.queue = content;
    showAll();
  },
  beat(content) {
    const { beat } = told;
    told.beat = content;
    timepiece.set(content.now);
    if (content.round && content.round.number !== beat?.round?.number) beatHeart();
    mark(at("main"), "data-ready", content.round !== null && told.kpis !== null);
    mark(at("main"), "data-clock", content.round?.clock ?? null);
    tick();
  },
};

/** Ask for what is chosen, and keep it in the address: a wall's screen is set up by its bookmark. */
function connect() {
  const query = new URLSearchParams();
  if (chosen.window) query.set("window", chosen.window);
  if (chosen.scope) query.set(chosen.scope.dim, chosen.scope.name);
  const page = new URLSearchParams(query);
  if (asked.get("theme")) page.set("theme", asked.get("theme"));
  history.replaceState(null, "", page.size ? `?${page}` : location.pathname);
  stream.open(`api/v1/stream?${query}`);
}

/** The windows that the exporter offers, and the one that the address asks for beside them. */
function showWindows() {
  const offered = told.setup?.windows ?? [];
  const windows = !chosen.window || offered.includes(chosen.window) ? offered : [chosen.window, ...offered];
  choose(at("windows"), "window", windows.map((window) => [window, windowName(window)]), chosen.window, (window) => {
    chosen.window = window;
    told.remark = "";
    connect();
  });
}

function narrow(scope) {
  chosen.scope = scope;
  if (scope) chosen.dim = scope.dim;
  told.queue = told.queue && { ...told.queue, total: 0, overdue: 0, soon: 0, since: null, missed: [], ahead: [] };
  connect();
  showAll();
}

function showAll() {
  const { kpis, queue } = told;
  const { scope } = chosen;
  if (kpis) showFigures(scope ? held(kpis[scope.dim], scope.name) ?? {} : kpis.whole);
  people.show(kpis, queue, chosen.dim, scope?.dim === chosen.dim ? scope.name : "");
  const known = showScopes();
  told.stranger = known || !kpis || !queue ? "" : `There is no ${scope.dim} “${scope.name}”. Choose whose leads to show in the list above.`;
  showQueue(queue, timepiece.now(), told.stranger);
}

/** Everyone, the teams, the reps: rebuilt only when somebody comes or goes, so that an open list stays as it is.
 *  Tells whether there is what was chosen: an address may name a team that was renamed. */
function showScopes() {
  const { kpis, queue } = told;
  const known = (dim) => [...new Set([...Object.keys(kpis?.[dim] ?? {}), ...Object.keys(queue?.[`by_${dim}`] ?? {})])];
  const names = { team: known("team"), rep: known("rep") };
  const { scope } = chosen;
  const isKnown = !scope || names[scope.dim].includes(scope.name);
  if (!isKnown) names[scope.dim].push(scope.name);
  for (const list of Object.values(names)) list.sort((one, other) => one.localeCompare(other, "en"));
  const select = at("scope");
  const state = JSON.stringify(names);
  if (select.dataset.names !== state) {
    select.dataset.names = state;
    select.replaceChildren(option("", "Everyone"), options("Teams", "team", names.team), options("Reps", "rep", names.rep));
  }
  select.value = scope ? `${scope.dim}=${scope.name}` : "";
  mark(select, "data-chosen", scope ? "" : null);
  return isKnown;
}

function options(label, dim, names) {
  const group = element("optgroup", "", ...names.map((name) => option(`${dim}=${name}`, name)));
  group.label = label;
  return group;
}

function option(value, words) {
  const made = element("option", "", words);
  made.value = value;
  return made;
}

function showDims() {
  choose(at("dims"), "dim", [["rep", "Reps"], ["team", "Teams"]], chosen.dim, (dim) => {
    chosen.dim = dim;
    showAll();
  });
}

/** What changes by time alone. */
function tick() {
  const now = timepiece.now();
  const word = showFreshness(told, now);
  showQueue(told.queue, now, told.stranger);
  speak(word, now);
}

/** Say what one must not miss, and no more: a connection that goes or comes, and leads that have become overdue. */
function speak(word, now) {
  if (spoken.word !== word) {
    if (spoken.word && spoken.word !== "Connecting") write(at("said"), word);
    spoken.word = word;
  }
  if (!told.queue || performance.now() - spoken.at < SPEECH_MS) return;
  const overdue = overdueAt(told.queue, now);
  if (spoken.overdue !== null && overdue > spoken.overdue) {
    spoken.at = performance.now();
    write(at("said"), `${overdue} leads overdue, ${told.queue.total} waiting`);
  }
  spoken.overdue = overdue;
}

at("scope").addEventListener("change", (event) => {
  const [, dim, name] = /^(team|rep)=(.*)$/s.exec(event.target.value) ?? [];
  narrow(dim ? { dim, name } : null);
  showDims();
});

startTheme(asked.get("theme"));
listen(() => showQueue(told.queue, timepiece.now(), told.stranger));
showDims();
showFigures(null);
connect();
timepiece.everySecond(tick);
