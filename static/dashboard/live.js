// Keeps the page true without a reload: the same page is asked again, and its [data-live] parts are brought up to date.
// A hidden tab asks nothing, an idle one seldom, and a lost connection shows and is tried again, later and later.

import { morph } from "./morph.js";

const ACTIVE_MS = 3_000;
export const IDLE_MS = 20_000;
const IDLE_AFTER_MS = 120_000;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;
const PATIENCE_MS = 10_000;
const LONGEST_PATIENCE_MS = 80_000;

const NOT_MODIFIED = 304;
const TOO_LATE = "too late";

let timer = 0;
let shown = location.href;
let lastTouch = performance.now();
let retryMs = 0;
let lastGood = new Date();
let running = null;
let patienceMs = PATIENCE_MS; // a page that was not there in time is given longer
let began = 0; // when the page was asked for
let isStale = false; // something was heard since

// Whether nobody has touched the page for a while.
export const isIdle = () => performance.now() - lastTouch > IDLE_AFTER_MS;

// Whether the market is closed, so that quotes are not likely to change soon.
export const isClosed = () => document.querySelector("#market .dot.closed") !== null;

export function refresh(url = location.href) {
  running?.abort();
  running = new AbortController();
  const mine = running;
  clearTimeout(timer);
  [began, isStale] = [performance.now(), false];
  return load(url, mine).finally(() => {
    if (mine !== running) return;
    running = null;
    schedule();
  });
}

// Something happened that nobody here asked for. A page under way is waited for, however slow it is, and then asked for once more.
export function refreshSoon() {
  if (running) isStale = true;
  else refresh();
}

async function load(url, mine) {
  const { signal } = mine;
  const patience = setTimeout(() => mine.abort(TOO_LATE), patienceMs);
  try {
    const answer = await fetch(url, {
      signal,
      cache: "no-store",
      headers: { Accept: "text/html", ...(url === shown && { "If-None-Match": version() }) },
    });
    if (answer.redirected && new URL(answer.url).pathname === "/login/") return location.reload();
    if (answer.status !== NOT_MODIFIED) {
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      apply(new DOMParser().parseFromString(await answer.text(), "text/html"));
      shown = url;
    }
    online();
  } catch (problem) {
    if (signal.reason === TOO_LATE) patienceMs = Math.min(LONGEST_PATIENCE_MS, patienceMs * 2);
    else if (signal.aborted) return; // for another
    offline();
  } finally {
    clearTimeout(patience);
  }
}

// What the server called the state of the page that is shown; it sends no page while that has not changed.
const version = () => document.querySelector('meta[name="version"]')?.content ?? "";

function apply(next) {
  document.querySelector('meta[name="version"]')?.replaceWith(next.querySelector('meta[name="version"]') ?? "");
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = next.getElementById(part.id);
    if (fresh) morph(part, fresh);
  }
  document.dispatchEvent(new CustomEvent("papertrade:refreshed"));
}

function online() {
  retryMs = 0;
  lastGood = new Date();
  document.getElementById("offline").hidden = true;
}

function offline() {
  retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2 || FIRST_RETRY_MS);
  const note = document.getElementById("offline");
  note.textContent = `Connection lost. These values are from ${lastGood.toLocaleTimeString("en-US", { hourCycle: "h23" })}; reconnecting.`;
  note.hidden = false;
}

function schedule() {
  clearTimeout(timer);
  if (document.hidden) return;
  const usual = isIdle() ? IDLE_MS : ACTIVE_MS;
  // Once more at once, but a server that took long over it is left alone for as long.
  const soon = Math.min(performance.now() - began, usual);
  timer = setTimeout(refresh, retryMs || (isStale ? soon : usual));
}

function touched() {
  const wasIdle = isIdle();
  lastTouch = performance.now();
  if (!wasIdle || document.hidden) return;
  document.dispatchEvent(new CustomEvent("papertrade:touched"));
  refreshSoon();
}

export function startLive() {
  if (!document.querySelector(".menu")) return; // nobody is signed in
  for (const kind of ["pointerdown", "pointermove", "keydown", "scroll"]) document.addEventListener(kind, touched, { passive: true });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refreshSoon()));
  schedule();
}
