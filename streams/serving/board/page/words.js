// Numbers and times as people read them.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const grouped = new Intl.NumberFormat("en");
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** 1,204 */
export const count = (number) => grouped.format(number);

/** n 1,204: what a value rests on. */
export const n = (number) => `n\u00a0${count(number)}`;

/** 12:03:10, local time. */
export const timeOfDay = (ms) => hour.format(ms);

/** 86%: all and none only where it is all and none. */
export function percent(ratio) {
  const rounded = Math.round(ratio * 100);
  if (rounded === 100 && ratio < 1) return "99%";
  if (rounded === 0 && ratio > 0) return "1%";
  return `${rounded}%`;
}

/** A clock that runs: 4:12, 1 h 04 m, 3 d 4 h. Takes ms. */
export function running(ms) {
  if (ms >= DAY) return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
  if (ms >= HOUR) return `${Math.floor(ms / HOUR)} h ${two(Math.floor((ms % HOUR) / MINUTE))} m`;
  return `${Math.floor(ms / MINUTE)}:${two(Math.floor((ms % MINUTE) / 1000))}`;
}

const two = (number) => String(number).padStart(2, "0");

/** A length of time as [[number, unit], …]: 42 s, 3 min 05 s, 1 h 24 min, 2 d 3 h. */
export function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return [[String(whole), "s"]];
  if (whole < 3600) return pair(whole, 60, "min", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return pair(minutes, 60, "h", "min");
  return pair(Math.round(seconds / 3600), 24, "d", "h", 1);
}

function pair(amount, size, large, small, digits = 2) {
  const rest = amount % size;
  const first = [String(Math.floor(amount / size)), large];
  return rest ? [first, [String(rest).padStart(digits, "0"), small]] : [first];
}

/** The same as one string. */
export const spanText = (seconds) => span(seconds).map(([number, unit]) => `${number} ${unit}`).join(" ");

/** 24 hours, Today, …: how a window is called. */
export function windowName(window) {
  const [, number, unit] = /^(\d+)([mhd])$/.exec(window) ?? [];
  if (!unit) return window.charAt(0).toUpperCase() + window.slice(1);
  return `${number} ${{ m: "min", h: "h", d: "days" }[unit]}`;
}
