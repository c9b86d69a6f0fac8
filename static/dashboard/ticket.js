// The order ticket: symbol search, live quote, preview with its warnings, and sending with an id that is safe to repeat.

import { call, get } from "./api.js";
import { wireChain } from "./chain.js";
import { newOrderId } from "./ids.js";
import { refresh } from "./live.js";
import { plainNumber } from "./numbers.js";
import { showErrors } from "./refusals.js";
import { repeat } from "./repeat.js";
import { wireSearch } from "./search.js";
import { openSheet, wireSheet } from "./sheet.js";
import { isOption, nameOf, prices, underlyingOf } from "./symbols.js";

const QUOTE_MS = 3_000;
const PREVIEW_MS = 300;
const PREVIEW_AGAIN_MS = 8_000;

const form = document.getElementById("ticket");
const words = JSON.parse(document.getElementById("words").textContent);
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 6 });

const OPEN = new Set(["accepted", "new", "partially_filled"]);

const button = document.getElementById("send-order");
const fresh = document.getElementById("new-order");
const done = document.getElementById("ticket-done");

let armed = true;
let isRefused = false; // why sending was stands until somebody changes something, whatever is estimated meanwhile
let watched = null;
let search = null;
let quote = null; // the latest
let previewedOf = null; // the quote that the estimate is of, and when it was asked for
let previewedAt = 0;
let previewTimer = 0;
let previewing = null;

const symbol = () => form.elements.symbol.value.trim().toUpperCase();
const isLimit = () => form.elements.type.value === "limit";
const reasonOf = (code) => words.explanation[code] ?? words.reason[code] ?? code;

function terms() {
  const field = (name) => form.elements[name].value.trim();
  const number = (name) => plainNumber(field(name));
  const order = { symbol: symbol(), qty: number("qty"), side: field("side"), type: field("type"), time_in_force: field("time_in_force") };
  return isLimit() ? { ...order, limit_price: number("limit_price") } : order;
}

// --- The quote ---

async function askForQuote() {
  const wanted = symbol();
  if (search?.isTyping()) return; // half a ticker is another's, or nobody's
  try {
    const { results } = await get(`${form.dataset.quotes}?symbols=${encodeURIComponent(wanted)}`);
    if (wanted === symbol()) renderQuote(results[0]);
  } catch (refusal) {
    if (wanted === symbol()) renderQuote(null, refusal.message);
  }
}

const isInSight = () => form.getClientRects().length > 0; // it may lie in a sheet that is closed

const showQuote = repeat(askForQuote, { every: QUOTE_MS, wanted: () => Boolean(symbol()) && isInSight(), missing: () => quote?.age_ms === null });

// The estimate and its warnings are of a quote. Another one, another estimate: at once where it is about whether it can fill at
// all, and not with every tick otherwise.
function keepEstimateTrue() {
  if (!quote) return;
  if (quote.symbol !== previewedOf?.symbol) previewedOf = quote; // the estimate is being asked for
  const differs = (...names) => names.some((name) => quote[name] !== previewedOf[name]);
  const isDue = performance.now() - previewedAt > PREVIEW_AGAIN_MS;
  if (differs("quality") || (isDue && differs("bid", "ask", "bid_size", "ask_size"))) previewSoon();
}

function renderQuote(found, problem) {
  quote = found;
  keepEstimateTrue();
  const put = (side) => {
    const cell = form.querySelector(`[data-quote=${side}]`);
    cell.textContent = quote?.[side] ? prices.format(quote[side]) : "–";
    if (quote?.[side] && quote[`${side}_size`] !== null) {
      const size = document.createElement("small");
      size.textContent = ` × ${plain.format(quote[`${side}_size`])}`;
      cell.append(size);
    }
  };
  put("bid");
  put("ask");
  const line = form.querySelector("[data-quote=quality]");
  const good = quote?.quality === "ok";
  line.classList.toggle("bad", !good);
  line.textContent = problem ?? (good ? `Good to fill, ${age(quote.age_ms)} old · ${quote.feed}` : capital(words.reason[quote.quality] ?? quote.quality) + (quote.age_ms === null ? "" : ` · ${age(quote.age_ms)} old`));
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function age(ms) {
  if (ms < 1_000) return `${ms} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

// --- The preview ---

function previewSoon() {
  if (!armed) return; // what was sent is not previewed again
  clearTimeout(previewTimer);
  previewTimer = setTimeout(preview, PREVIEW_MS);
}

function endPreview() {
  clearTimeout(previewTimer);
  previewing?.abort();
}

async function preview() {
  endPreview();
  const order = terms();
  if (search.isTyping()) return undefined; // what is typed is previewed when it is settled
  if (!order.symbol || !order.qty || (isLimit() && !order.limit_price)) return renderPreview(null);
  previewing = new AbortController();
  previewedOf = quote;
  previewedAt = performance.now();
  try {
    renderPreview(await call("POST", `${form.dataset.orders}preview/`, order, { signal: previewing.signal }));
    if (!isRefused) showRefusal({});
  } catch (refusal) {
    if (refusal.name === "AbortError") return;
    renderPreview(null);
    if (!isRefused) showRefusal(refusal);
  }
}

function renderPreview(found) {
  form.querySelector("#cost-label").textContent = form.elements.side.value === "buy" ? "Estimated cost" : "Estimated proceeds";
  for (const cell of form.querySelectorAll("[data-estimate]")) {
    const value = found?.[cell.dataset.estimate];
    cell.textContent = value ? money.format(value) : "–";
  }
  const list = document.getElementById("warnings");
  list.replaceChildren(...(found ? warnings(found) : []).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function warnings(found) {
  const said = [];
  if (!found.admitted) said.push(`It would be rejected. ${reasonOf(found.reason)}`);
  else if (found.reason) said.push(reasonOf(found.reason));
  const fills = Number(found.would_fill_qty);
  const wanted = Number(found.order.qty);
  if (found.admitted && fills > 0 && fills < wanted) said.push(`Only ${plain.format(fills)} of ${plain.format(wanted)} are on display at this price. The rest waits for the next quote.`);
  return said;
}

// --- Sending ---

const showRefusal = (refusal) => showErrors(form, document.getElementById("ticket-error"), refusal);

// A ticket sends once. Sent, it is disarmed until something in it is changed or "New order" is pressed: a second click or
// Enter, however soon, sends nothing. While no answer has come its id stays, so that sending it again cannot double it.

async function send(event) {
  event.preventDefault();
  if (!armed) return;
  const pressed = symbol();
  await search.settled();
  if (!armed || symbol() !== pressed) return; // the button says now what would be sent
  disarm();
  endPreview(); // its answer would wipe out what sending has to say
  isRefused = false;
  showRefusal({});
  try {
    const order = await call("POST", form.dataset.orders, { ...terms(), client_order_id: form.elements.client_order_id.value });
    sent(order);
    await refresh();
  } catch (refusal) {
    if (refusal.code === "client_order_id_not_unique") await tellOfTheFirst(refusal.details.order_id);
    else refused(refusal);
  }
}

function refused(refusal) {
  arm();
  isRefused = true;
  showRefusal(refusal);
}

function disarm() {
  armed = false;
  button.disabled = true;
}

function arm() {
  armed = true;
  button.disabled = false;
  fresh.hidden = true;
}

// Armed again with an id of its own, when what was sent before has been answered.
function renew() {
  if (armed || fresh.hidden) return;
  form.elements.client_order_id.value = newOrderId();
  arm();
}

// An order was taken: what the form estimated is of the past.
function sent(order) {
  renderPreview(null);
  fresh.hidden = false;
  watched = order;
  renderDone();
}

// The answer of an earlier send was lost, and the form has changed since: that order exists, this one does not.
async function tellOfTheFirst(id) {
  try {
    sent(await get(`${form.dataset.orders}${id}/`));
    showRefusal({ message: "Your earlier order was taken, though its answer was lost: see below. What the form says now was not sent; press “New order” to send it too." });
    await refresh();
  } catch (problem) {
    refused(problem);
  }
}

function renderDone() {
  const order = watched;
  const link = Object.assign(document.createElement("a"), { href: `${form.dataset.accountUrl}orders/${order.id}/`, textContent: "Why?" });
  const filled = Number(order.filled_qty) > 0 && order.status !== "filled" ? `, ${plain.format(order.filled_qty)} filled` : "";
  const price = order.filled_avg_price ? ` at ${prices.format(order.filled_avg_price)}` : "";
  const reason = order.rejected_reason || order.cancel_reason || (OPEN.has(order.status) && order.no_fill_reason);
  const text = `${capital(order.side)} ${plain.format(order.qty)} ${order.symbol}: ${words.status[order.status]}${filled}${price}${reason ? ` (${words.reason[reason] ?? reason})` : ""}. `;
  done.classList.toggle("bad", order.status === "rejected");
  done.replaceChildren(text, link);
}

// What became of the order since: asked again whenever the page has news, until it is closed.
async function watch() {
  if (!watched || !OPEN.has(watched.status)) return;
  const { id } = watched;
  const now = await get(`${form.dataset.orders}${id}/`).catch(() => null);
  if (now && watched.id === id) {
    watched = now;
    renderDone();
  }
}

// --- Wiring ---

// Somebody changed what would be sent.
function changed() {
  isRefused = false;
  previewSoon();
}

function symbolChanged() {
  form.elements.symbol.value = symbol();
  const option = isOption(symbol());
  document.getElementById("ticket-symbol-words").textContent = option && nameOf(symbol()) !== symbol() ? `${nameOf(symbol())}, 100 shares a contract` : "";
  document.getElementById("open-chain").disabled = !symbol();
  const force = form.elements.time_in_force;
  force.querySelector("[value=gtc]").disabled = option;
  if (option) force.value = "day";
  document.dispatchEvent(new CustomEvent("papertrade:symbol"));
  showQuote();
  changed();
}

function label() {
  document.getElementById("limit-field").hidden = !isLimit();
  const side = capital(form.elements.side.value);
  button.textContent = symbol() ? `${side} ${form.elements.qty.value} ${nameOf(symbol())}` : "Send the order";
}

function choose(wanted) {
  search.put(wanted);
  symbolChangedAndLabel();
}

// Somebody wants to trade: put in what is said, and go to the field that comes next.
function trade({ symbol: wanted, side }) {
  const choice = side && form.querySelector(`[name=side][value=${side}]`);
  if (choice && !choice.checked) choice.click();
  openSheet();
  if (wanted) choose(wanted);
  else showQuote();
  form.elements[wanted ? "qty" : "symbol"].focus();
}

export function start() {
  wireSheet();
  document.addEventListener("papertrade:trade", ({ detail }) => trade(detail));
  for (const opener of document.querySelectorAll("[data-trade]")) opener.addEventListener("click", () => trade({ side: opener.dataset.trade }));
  form.addEventListener("submit", send);
  fresh.addEventListener("click", () => {
    renew();
    done.replaceChildren();
    watched = null;
    showRefusal({});
    changed();
    form.elements.symbol.focus();
  });
  document.addEventListener("papertrade:refreshed", watch);
  form.addEventListener("input", (event) => {
    renew();
    label();
    if (event.target !== form.elements.symbol) changed();
  });
  search = wireSearch(form.elements.symbol, document.getElementById("ticket-found"), symbolChangedAndLabel);
  wireChain(document.getElementById("open-chain"), () => underlyingOf(symbol()), choose);
  const asked = new URLSearchParams(location.search).get("symbol");
  label();
  if (asked) trade({ symbol: asked });
  else if (symbol()) symbolChanged();
  form.dataset.ready = "";
}

function symbolChangedAndLabel() {
  renew();
  symbolChanged();
  label();
}
