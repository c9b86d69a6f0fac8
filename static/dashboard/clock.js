// Exchange time in the market bar: runs between two looks at the server, at the market's speed, and never past the change.

const TICK_MS = 250;
const newYork = new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", weekday: "short", year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

let anchor = null;

// As the server writes it: "Mon Nov 23, 10:00:00 ET", with the year where it is not this one.
function show(at) {
  const part = Object.fromEntries(newYork.formatToParts(at).map(({ type, value }) => [type, value]));
  const year = Number(part.year) === new Date().getFullYear() ? "" : ` ${part.year}`;
  return `${part.weekday} ${part.month} ${part.day}${year}, ${part.hour}:${part.minute}:${part.second} ET`;
}

function readBar() {
  const bar = document.getElementById("market");
  if (!bar?.dataset.now) return;
  anchor = { at: Date.parse(bar.dataset.now), changes: Date.parse(bar.dataset.changes), speed: Number(bar.dataset.speed), wall: performance.now() };
}

function tick() {
  const shown = document.querySelector("[data-clock]");
  if (!anchor || !shown || document.hidden) return;
  const passed = (performance.now() - anchor.wall) * anchor.speed;
  const text = show(new Date(Math.min(anchor.at + passed, anchor.changes)));
  if (shown.textContent !== text) shown.textContent = text;
}

export function startClock() {
  readBar();
  document.addEventListener("papertrade:refreshed", readBar);
  setInterval(tick, TICK_MS);
}
