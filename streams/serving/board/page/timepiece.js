// What time it is for those who wait: the exporter's clock, kept running here between its beats, and when it is away.

const STEADY_MS = 400; // what a beat may be late by without the clock being set anew
const GENTLY = 0.1;

export class Timepiece {
  constructor() {
    this.ahead = Date.now() - performance.now();
  }

  /** A beat says what time it is. Small differences are the network's, and are followed slowly. */
  set(now) {
    const ahead = now - performance.now();
    const difference = ahead - this.ahead;
    this.ahead += Math.abs(difference) > STEADY_MS ? difference : GENTLY * difference;
  }

  now() {
    return performance.now() + this.ahead;
  }

  /** Call when a second begins. */
  everySecond(call) {
    const next = () => {
      call();
      setTimeout(next, 1000 - (this.now() % 1000) + 5);
    };
    next();
  }
}
