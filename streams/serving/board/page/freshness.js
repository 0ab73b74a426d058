// Whether what is seen is true now, and what is wrong if it is not.

import { mark, write } from "./dom.js";
import { spanText, timeOfDay } from "./words.js";

const at = (id) => document.getElementById(id);

/** What to say of the connection, the last beat and an instant: a state, a word, a detail, and a sentence where something is wrong. */
function judge({ connection, lostAt, beat, setup }, now) {
  if (connection === "lost") {
    const since = lostAt ? ` since ${timeOfDay(lostAt)}` : "";
    return ["lost", "Disconnected", "", `Disconnected${since}. Trying again; the figures are from then, the clocks run on.`];
  }
  if (!beat) return ["connecting", "Connecting", "", ""];
  if (beat.fault) {
    return ["fault", "No data", "", `No new data: ${beat.fault.where} ${beat.fault.what}; ${beat.fault.todo}.`];
  }
  const { round } = beat;
  if (!round) return ["connecting", "Starting", "", "Waiting for the first figures: workers have to read the log first."];
  const behind = Math.max(0, now - round.clock);
  const age = spanText(Math.floor(behind / 1000));
  if (round.stale) return ["stale", "Stale", age, `Stale: the partitions stand ${spanText(round.spread_ms / 1000)} apart, so the figures wait for the last of them.`];
  if (behind > setup.stale_after_ms) return ["stale", "Stale", age, `Stale: the figures are of ${timeOfDay(round.clock)}. See whether workers run and keep up.`];
  return ["live", "Live", `${age} old${round.exact ? ", exact" : `, within ${spanText(Math.max(1, round.spread_ms / 1000))}`}`, ""];
}

/** Show it, and say aloud what changes. */
export function showFreshness(situation, now) {
  const [state, word, detail, fault] = judge(situation, now);
  const sentence = fault || situation.remark;
  mark(at("freshness"), "data-state", state);
  mark(document.documentElement, "data-freshness", state);
  write(at("freshness-word"), word);
  write(at("freshness-detail"), detail);
  write(at("notice"), sentence);
  at("notice").hidden = !sentence;
  return word;
}

const BEAT = [{ transform: "none" }, { transform: "scale(1.22)", offset: 0.25 }, { transform: "scale(0.96)", offset: 0.5 }, { transform: "none" }];

/** Let the heart beat once, for those who like things to move. */
export function beatHeart() {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  document.querySelector(".heart").animate(BEAT, { duration: 600, easing: "ease-out" });
}
