// Asks again and again: often while somebody looks, seldom while nobody touches the page or the market is closed, and not at all
// while the tab is hidden or nothing is `wanted`. Whatever a page keeps true beside its own HTML is asked for through here.

import { IDLE_MS, isClosed, isIdle } from "./live.js";

// The function that asks now, and goes on from there. `ask` may not fail; without `wanted` it is always wanted. While something is
// `missing` that is on its way, a closed market is no reason to wait.
export function repeat(ask, { every, wanted = () => true, missing = () => false }) {
  let timer = 0;

  async function now() {
    clearTimeout(timer);
    if (document.hidden || !wanted()) return;
    await ask();
    clearTimeout(timer);
    const seldom = isIdle() || (isClosed() && !missing());
    if (wanted()) timer = setTimeout(now, seldom ? IDLE_MS : every);
  }

  document.addEventListener("visibilitychange", now);
  document.addEventListener("papertrade:touched", now); // after a while in which nobody did anything
  return now;
}
