// News of the account as it happens: the page is brought up to date at once, and fills, refusals and settlements are told in a
// passing note, or by the browser where the viewer wants that. Without a stream of events the page still asks by itself.
//
// A page in sight holds a stream; one out of sight, where the viewer wants notices, asks now and then instead: browsers hold few
// connections to a server at once, and tabs can be many.

import { toast } from "./actions.js";
import { get } from "./api.js";
import { refreshSoon } from "./live.js";

const KIND = "text/event-stream";
const NO_STREAMS = new Set([404, 406]);
const AGAIN_MS = 5_000;
const LONGEST_AGAIN_MS = 60_000;
const UNSEEN_MS = 20_000;
const GATHER_MS = 150;
const TOLD = new Set(["order_filled", "order_rejected", "order_expired", "position_settled"]);
const WANTED = "papertrade-notify";

const words = JSON.parse(document.getElementById("words").textContent);
const account = document.getElementById("account");
const address = account.dataset.events;

let lastId = account.dataset.version.split(".")[0]; // the number of the last event that the page has seen
let reading = null;
let timer = 0;
let againMs = AGAIN_MS;
let gathering = 0;
let hasStreams = true;

const canNotify = () => window.isSecureContext && "Notification" in window;
const wantsNotices = () => canNotify() && Notification.permission === "granted" && localStorage.getItem(WANTED) === "yes";

function follow() {
  clearTimeout(timer);
  if (document.hidden) {
    reading?.abort();
    if (wantsNotices()) timer = setTimeout(askUnseen, UNSEEN_MS);
  } else if (hasStreams && !reading) listen();
}

async function listen() {
  const mine = new AbortController();
  reading = mine;
  try {
    const answer = await fetch(address, { headers: { Accept: KIND, "Last-Event-ID": lastId }, signal: mine.signal });
    const streams = answer.headers.get("Content-Type")?.startsWith(KIND);
    hasStreams = streams || !(answer.ok || NO_STREAMS.has(answer.status));
    if (streams) {
      againMs = AGAIN_MS;
      await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    } else mine.abort(); // refused for now: by a proxy, by a server that starts, or as there are too many
  } catch {
    // ended, or the connection is lost
  }
  reading = null;
  if (document.hidden || !hasStreams) return;
  clearTimeout(timer);
  timer = setTimeout(follow, againMs);
  againMs = Math.min(LONGEST_AGAIN_MS, againMs * 2);
}

async function read(reader) {
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const messages = (rest + value).split("\n\n");
    rest = messages.pop();
    for (const message of messages) heard(message);
  }
}

function heard(message) {
  const data = message.split("\n").find((line) => line.startsWith("data: "))?.slice("data: ".length);
  if (!data) return;
  tell(JSON.parse(data));
  clearTimeout(gathering);
  gathering = setTimeout(() => document.hidden || refreshSoon(), GATHER_MS);
}

async function askUnseen() {
  try {
    for (const event of (await get(`${address}?after_seq=${lastId}`)).results) tell(event);
  } catch {
    // the next look has it
  }
  follow();
}

function tell(event) {
  if (event.seq <= Number(lastId)) return; // a tab that comes into sight may be told by the stream and by its last look
  lastId = String(event.seq);
  if (!TOLD.has(event.type)) return;
  const reason = event.reason ? ` (${words.reason[event.reason] ?? event.reason})` : "";
  const text = `${words.event[event.type] ?? event.type}: ${event.symbol}${reason}`;
  toast(text, { bad: event.type === "order_rejected" });
  if (document.hidden && wantsNotices()) new Notification("papertrade", { body: text, tag: `${account.dataset.account}-${event.seq}` });
}

function offerNotices() {
  const button = document.getElementById("notify");
  if (!button || !canNotify()) return;
  const show = () => (button.textContent = wantsNotices() ? "Stop notifying me" : "Notify me of fills");
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (wantsNotices()) localStorage.removeItem(WANTED);
    else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(WANTED, "yes");
    show();
  });
  show();
}

export function start() {
  document.addEventListener("visibilitychange", follow);
  offerNotices();
  follow();
}
