// News of the account as it happens: the page is brought up to date at once, and fills, refusals and settlements are told in a
// passing note, or by the browser where the viewer wants that. Without a stream of events the page still asks by itself.

import { toast } from "./actions.js";
import { refresh } from "./live.js";

const KIND = "text/event-stream";
const AGAIN_MS = 5_000;
const GATHER_MS = 150;
const TOLD = new Set(["order_filled", "order_rejected", "order_expired", "position_settled"]);
const WANTED = "papertrade-notify";

const words = JSON.parse(document.getElementById("words").textContent);

let address = "";
let lastId = "";
let reading = null;
let gathering = 0;

const wantsNotices = () => "Notification" in window && Notification.permission === "granted" && localStorage.getItem(WANTED) === "yes";

async function follow() {
  if (reading || (document.hidden && !wantsNotices())) return;
  reading = new AbortController();
  try {
    const answer = await fetch(address, { headers: { Accept: KIND, ...(lastId && { "Last-Event-ID": lastId }) }, signal: reading.signal });
    if (!answer.headers.get("Content-Type")?.startsWith(KIND)) {
      reading.abort();
      return; // this server has no streams
    }
    await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
  } catch {
    // ended, or the connection is lost: try again
  }
  reading = null;
  setTimeout(follow, AGAIN_MS);
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
  const field = (name) => message.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const data = field("data");
  if (!data) return;
  lastId = field("id") ?? lastId;
  tell(JSON.parse(data));
  clearTimeout(gathering);
  gathering = setTimeout(() => document.hidden || refresh(), GATHER_MS);
}

function tell(event) {
  if (!TOLD.has(event.type)) return;
  const reason = event.reason ? ` (${words.reason[event.reason] ?? event.reason})` : "";
  const text = `${words.event[event.type] ?? event.type}: ${event.symbol}${reason}`;
  toast(text, { bad: event.type === "order_rejected" });
  if (document.hidden && wantsNotices()) new Notification("papertrade", { body: text, tag: String(event.seq) });
}

function offerNotices() {
  const button = document.getElementById("notify");
  if (!button || !("Notification" in window)) return;
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
  address = document.getElementById("account").dataset.events;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && !wantsNotices()) reading?.abort();
    else follow();
  });
  offerNotices();
  follow();
}
