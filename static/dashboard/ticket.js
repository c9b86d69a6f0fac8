// The order ticket: symbol search, live quote, preview with its warnings, and sending with an id that is safe to repeat.

import { call, get } from "./api.js";
import { wireChain } from "./chain.js";
import { refresh } from "./live.js";
import { wireSearch } from "./search.js";

const QUOTE_MS = 3_000;
const PREVIEW_MS = 300;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const OPTION = /^O:([A-Z]+\d?)(\d\d)(\d\d)(\d\d)([CP])(\d{8})$/;

const form = document.getElementById("ticket");
const words = JSON.parse(document.getElementById("words").textContent);
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 6 });
const prices = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 6 });

let quoteTimer = 0;
let previewTimer = 0;
let previewing = null;

const symbol = () => form.elements.symbol.value.trim().toUpperCase();
const isOption = () => symbol().startsWith("O:");
const isLimit = () => form.elements.type.value === "limit";
const reasonOf = (code) => words.explanation[code] ?? words.reason[code] ?? code;

function terms() {
  const field = (name) => form.elements[name].value.trim();
  const order = { symbol: symbol(), qty: field("qty"), side: field("side"), type: field("type"), time_in_force: field("time_in_force") };
  return isLimit() ? { ...order, limit_price: field("limit_price") } : order;
}

// --- The quote ---

async function showQuote() {
  clearTimeout(quoteTimer);
  const wanted = symbol();
  if (wanted && !document.hidden) {
    try {
      const { results } = await get(`${form.dataset.quotes}?symbols=${encodeURIComponent(wanted)}`);
      if (wanted === symbol()) renderQuote(results[0]);
    } catch (refusal) {
      if (wanted === symbol()) renderQuote(null, refusal.details?.symbols ?? refusal.message);
    }
  }
  quoteTimer = setTimeout(showQuote, QUOTE_MS);
}

function renderQuote(quote, problem) {
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
  if (!order.symbol || !order.qty || (isLimit() && !order.limit_price)) return renderPreview(null);
  previewing = new AbortController();
  try {
    renderPreview(await call("POST", `${form.dataset.orders}preview/`, order, { signal: previewing.signal }));
    showErrors({});
  } catch (refusal) {
    if (refusal.name === "AbortError") return;
    renderPreview(null);
    showErrors(refusal);
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

function showErrors({ details = {}, message = "" }) {
  const placed = Object.keys(details).filter((name) => form.querySelector(`[data-error=${CSS.escape(name)}]`));
  for (const line of form.querySelectorAll("[data-error]")) {
    const name = line.dataset.error;
    line.textContent = placed.includes(name) ? `${details[name]}` : "";
    form.elements[name]?.setAttribute("aria-invalid", String(placed.includes(name)));
  }
  document.getElementById("ticket-error").textContent = placed.length ? "" : message;
}

async function send(event) {
  event.preventDefault();
  const button = document.getElementById("send-order");
  button.disabled = true;
  endPreview(); // its answer would wipe out what sending has to say
  showErrors({});
  try {
    // The id stays the same until the server has answered: sending the same form again cannot double the order.
    const order = await call("POST", form.dataset.orders, { ...terms(), client_order_id: form.elements.client_order_id.value });
    renewId();
    done(order);
    await refresh();
    previewSoon();
  } catch (refusal) {
    if (refusal.code === "client_order_id_not_unique") await tellOfTheFirst(refusal.details.order_id);
    else showErrors(refusal);
  }
  button.disabled = false;
}

function renewId() {
  form.elements.client_order_id.value = `web-${crypto.randomUUID()}`;
}

// The answer of an earlier send was lost, and the form has changed since: that order exists, this one does not.
async function tellOfTheFirst(id) {
  try {
    done(await get(`${form.dataset.orders}${id}/`));
    renewId();
    showErrors({ message: "Your earlier order was taken, though its answer was lost: see below. What the form says now was not sent; send it again if you want it too." });
    await refresh();
  } catch (problem) {
    showErrors(problem);
  }
}

function done(order) {
  const link = Object.assign(document.createElement("a"), { href: `${form.dataset.accountUrl}orders/${order.id}/`, textContent: "Why?" });
  const price = order.filled_avg_price ? ` at ${prices.format(order.filled_avg_price)}` : "";
  const reason = order.rejected_reason || order.no_fill_reason;
  const text = `${capital(order.side)} ${plain.format(order.qty)} ${order.symbol}: ${words.status[order.status]}${price}${reason ? ` (${words.reason[reason] ?? reason})` : ""}. `;
  document.getElementById("ticket-done").replaceChildren(text, link);
}

// --- Wiring ---

function symbolChanged() {
  form.elements.symbol.value = symbol();
  const match = OPTION.exec(symbol());
  document.getElementById("ticket-symbol-words").textContent = match ? optionWords(match) : "";
  document.getElementById("open-chain").disabled = !symbol();
  const force = form.elements.time_in_force;
  force.querySelector("[value=gtc]").disabled = isOption();
  if (isOption()) force.value = "day";
  showQuote();
  previewSoon();
}

function optionWords([, root, year, month, day, right, strike]) {
  return `${root} ${MONTHS[Number(month) - 1]} ${day} 20${year} ${Number(strike) / 1000} ${right === "C" ? "call" : "put"}, 100 shares a contract`;
}

function label() {
  document.getElementById("limit-field").hidden = !isLimit();
  const side = capital(form.elements.side.value);
  document.getElementById("send-order").textContent = symbol() ? `${side} ${form.elements.qty.value} ${symbol()}` : "Send the order";
}

export function start() {
  form.addEventListener("submit", send);
  form.addEventListener("input", (event) => {
    label();
    if (event.target !== form.elements.symbol) previewSoon();
  });
  wireSearch(form.elements.symbol, document.getElementById("ticket-found"), symbolChangedAndLabel);
  wireChain(document.getElementById("open-chain"), () => OPTION.exec(symbol())?.[1] ?? symbol(), (contract) => {
    form.elements.symbol.value = contract;
    symbolChangedAndLabel();
  });
  document.addEventListener("visibilitychange", () => document.hidden || showQuote());
  label();
  if (symbol()) symbolChanged();
  form.dataset.ready = "";
}

function symbolChangedAndLabel() {
  symbolChanged();
  label();
}
