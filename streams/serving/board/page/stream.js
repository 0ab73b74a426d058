// The connection to the exporter: one that comes back, and says when it is away.

const SILENCE_MS = 5000; // the exporter beats every second
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
const MESSAGES = ["setup", "kpis", "queue", "beat"];

export class Stream {
  /** `onMessage(name, content)` for every message, `onState("live" | "lost")` when that changes. */
  constructor(onMessage, onState) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.state = "";
    this.pause = FIRST_PAUSE_MS;
    setInterval(() => this.look(), 1000);
    for (const event of ["online", "pageshow"]) addEventListener(event, () => this.state === "lost" && this.connect());
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  /** Be told what stands behind an address, now and from now on; what was open before is closed. */
  open(url) {
    this.url = url;
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.source?.close();
    const source = new EventSource(this.url);
    this.source = source;
    this.heard = performance.now();
    for (const name of MESSAGES) {
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.heard = performance.now();
        this.pause = FIRST_PAUSE_MS;
        this.onMessage(name, JSON.parse(event.data));
        this.become("live");
      });
    }
    source.addEventListener("error", () => source === this.source && this.lost());
  }

  /** What is silent for long has gone without a word: a cable, a proxy, a machine that slept. */
  look() {
    if (this.source && performance.now() - this.heard > SILENCE_MS) this.lost();
  }

  lost() {
    this.source.close();
    this.source = null;
    this.become("lost");
    this.timer = setTimeout(() => this.connect(), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }
}
