// The watchlist beside the ticket: its quotes live, a press puts a symbol into the ticket; arrows, Delete and w do it by keyboard.

import { call, get, getAll } from "./api.js";
import { repeat } from "./repeat.js";
import { wireSearch } from "./search.js";
import { nameOf, prices } from "./symbols.js";

const QUOTE_MS = 5_000;
const READ_AGAIN = 12; // looks at the quotes
const SHOWN_QUOTES = 100; // the most that one request asks for
const DEFAULT_NAME = "Watchlist";

const panel = document.getElementById("watchlist");
const rows = document.getElementById("watched");
const note = document.getElementById("watch-note");
const choice = document.getElementById("watchlist-choice");
const input = document.getElementById("watch-symbol");
const star = document.getElementById("watch-this");
const ticketSymbol = document.getElementById("ticket-symbol");
const KEPT = `papertrade-watchlist-${document.getElementById("account").dataset.account}`;

let lists = [];
let looks = 0;
let inSight = true;
const mids = new Map();

const shown = () => lists.find(({ id }) => id === choice.value) ?? lists[0];
const symbols = () => shown()?.symbols ?? [];
const inTicket = () => ticketSymbol.value.trim().toUpperCase();
const addressOf = (list, rest = "") => `${panel.dataset.lists}${list.id}/${rest}`;

async function read() {
  lists = await getAll(`${panel.dataset.lists}?limit=100`);
  const kept = choice.value || localStorage.getItem(KEPT);
  choice.replaceChildren(...lists.map(({ id, name }) => new Option(name, id, false, id === kept)));
  choice.hidden = lists.length < 2;
  render();
}

function render() {
  const known = new Map([...rows.children].map((row) => [row.dataset.symbol, row]));
  rows.replaceChildren(...symbols().map((symbol) => known.get(symbol) ?? line(symbol)));
  if (symbols().length) note.textContent = "";
  else note.textContent = "Nothing here yet. Add a symbol above, or press the star beside the ticket’s.";
  markStar();
}

function line(symbol) {
  const row = document.createElement("li");
  row.dataset.symbol = symbol;
  const pick = Object.assign(document.createElement("button"), { type: "button", className: "pick" });
  const name = Object.assign(document.createElement("b"), { textContent: nameOf(symbol) });
  const quote = Object.assign(document.createElement("span"), { className: "watched-quote" });
  for (const side of ["bid", "ask"]) quote.append(Object.assign(document.createElement("span"), { className: side, title: side === "bid" ? "Bid" : "Ask", textContent: "–" }));
  pick.append(name, quote);
  pick.addEventListener("click", () => document.dispatchEvent(new CustomEvent("papertrade:trade", { detail: { symbol } })));
  const away = Object.assign(document.createElement("button"), { type: "button", className: "icon-button away", textContent: "×" });
  away.setAttribute("aria-label", `Take ${nameOf(symbol)} off the watchlist`);
  away.addEventListener("click", () => remove(symbol));
  row.append(pick, away);
  return row;
}

// What a change of the list answers is the list.
function took(list) {
  lists = lists.map((one) => (one.id === list.id ? list : one));
  render();
}

// One change after the other, so that each sees the list that the one before left.
let changes = Promise.resolve();

function attempt(change) {
  changes = changes.then(change).catch((refusal) => (note.textContent = refusal.message));
  return changes;
}

// The list to put the first symbol on; another tab may have made it meanwhile.
async function makeList() {
  try {
    await call("POST", panel.dataset.lists, { name: DEFAULT_NAME, symbols: [] });
  } catch (refusal) {
    if (refusal.code !== "conflict") throw refusal;
  }
  await read();
}

const add = (symbol) =>
  attempt(async () => {
    if (!shown()) await makeList();
    took(await call("POST", addressOf(shown(), "symbols/"), { symbol }));
    await showQuotes();
  });

const remove = (symbol) =>
  attempt(async () => {
    const row = rows.querySelector(`[data-symbol="${CSS.escape(symbol)}"]`);
    const next = row?.contains(document.activeElement) ? (row.nextElementSibling ?? row.previousElementSibling)?.dataset.symbol : null;
    took(await call("DELETE", addressOf(shown(), `symbols/${encodeURIComponent(symbol)}/`)));
    if (next) rows.querySelector(`[data-symbol="${CSS.escape(next)}"] .pick`)?.focus();
  });

function toggle() {
  const symbol = inTicket();
  if (!symbol) return input.focus();
  return symbols().includes(symbol) ? remove(symbol) : add(symbol);
}

function markStar() {
  star.disabled = !inTicket();
  star.setAttribute("aria-pressed", String(symbols().includes(inTicket())));
}

// --- Quotes ---

async function look() {
  try {
    if (++looks % READ_AGAIN === 0) await read();
    const wanted = symbols().slice(0, SHOWN_QUOTES);
    if (wanted.length) for (const quote of (await get(`${panel.dataset.quotes}?symbols=${wanted.map(encodeURIComponent).join(",")}`)).results) put(quote);
  } catch {
    // the page says by itself when the server is away, and the next look mends the rest
  }
}

const showQuotes = repeat(look, { every: QUOTE_MS, wanted: () => inSight });

function put({ symbol, bid, ask, quality }) {
  const row = rows.querySelector(`[data-symbol="${CSS.escape(symbol)}"]`);
  if (!row) return;
  row.querySelector(".bid").textContent = bid ? prices.format(bid) : "–";
  row.querySelector(".ask").textContent = ask ? prices.format(ask) : "–";
  row.classList.toggle("dim", quality !== "ok");
  const mid = bid && ask ? (Number(bid) + Number(ask)) / 2 : null;
  const before = mids.get(symbol);
  if (mid !== null && before !== undefined && mid !== before) row.dataset.moved = mid > before ? "up" : "down";
  if (mid !== null) mids.set(symbol, mid);
}

// --- Wiring ---

function keys(event) {
  const row = event.target.closest("li");
  const to = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
  if (to) to.querySelector(".pick").focus();
  else if (event.key === "Delete" && row) remove(row.dataset.symbol);
  else return;
  event.preventDefault();
}

export function start() {
  wireSearch(input, document.getElementById("watch-found"), () => {
    const symbol = input.value.trim();
    if (!symbol) return;
    input.value = "";
    add(symbol);
  });
  document.getElementById("watch-form").addEventListener("submit", (event) => event.preventDefault());
  rows.addEventListener("keydown", keys);
  star.addEventListener("click", toggle);
  choice.addEventListener("change", () => {
    localStorage.setItem(KEPT, choice.value);
    render();
    showQuotes();
  });
  document.addEventListener("papertrade:watch", toggle);
  document.addEventListener("papertrade:symbol", markStar);
  new IntersectionObserver(([{ isIntersecting }]) => {
    const came = isIntersecting && !inSight;
    inSight = isIntersecting;
    if (came) showQuotes();
  }).observe(panel);
  attempt(async () => {
    await read();
    await showQuotes();
    panel.dataset.ready = "";
  });
}
