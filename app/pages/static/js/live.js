// When to look again: the service's stream of all events, and the clock while something moves.

import { Problem } from "./api.js";
import { follow, pause } from "./stream.js";

const MOVING_MS = 2_000;
const RESTING_MS = 15_000;
const SETTLE_MS = 300;
const BETWEEN_MS = 700;

/**
 * Call `look()` whenever jobs may have changed, one call at a time: soon after an event of any job, every two
 * seconds while `moving()` says that something runs, and now and then anyway. Never while the tab is hidden.
 */
export async function keepLooking({ look, moving, signal }) {
  let wake = () => {};
  let news = false;
  const nudge = () => {
    news = true;
    wake();
  };
  document.addEventListener("visibilitychange", () => !document.hidden && nudge(), { signal });
  follow("/v1/events", nudge, signal).catch((error) => {
    // A service without that stream: the clock alone has to do.
    if (!(error instanceof Problem)) throw error;
  });
  while (!signal.aborted) {
    if (!news) await Promise.race([pause(moving() ? MOVING_MS : RESTING_MS, signal), new Promise((resolve) => (wake = resolve))]);
    // Events come in flocks.
    await pause(SETTLE_MS, signal);
    if (signal.aborted) return;
    if (document.hidden) {
      await new Promise((resolve) => {
        document.addEventListener("visibilitychange", resolve, { once: true, signal });
        signal.addEventListener("abort", resolve, { once: true });
      });
      if (signal.aborted) return;
    }
    news = false;
    const begun = performance.now();
    await look();
    // A training that reports ten epochs a second is still read once, and what takes long more seldom.
    await pause(Math.max(BETWEEN_MS, 3 * (performance.now() - begun)), signal);
  }
}

/**
 * `run` at most once in `milliseconds`, and once more after the last call: returns the function to call. What takes
 * long is run more seldom.
 */
export function throttled(run, milliseconds, signal) {
  let running = false;
  let again = false;
  return async function call() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      const begun = performance.now();
      await run();
      await pause(Math.max(milliseconds, 4 * (performance.now() - begun)), signal);
    } while (again && !signal.aborted);
    running = false;
  };
}
