// The option chain: calls, strike, puts, as they are quoted, kept true while it is open. What is too wide to fill is dimmed.

import { get } from "./api.js";
import { repeat } from "./repeat.js";

const QUOTE_MS = 3_000;
const ROWS_ABOVE_MONEY = 4;
const FIGURE_SPACE = "\u2007"; // as wide as a digit

const dialog = document.getElementById("chain");
const scroller = dialog.querySelector(".chain-rows");
const body = dialog.querySelector("tbody");
const expiry = document.getElementById("chain-expiry");
const note = document.getElementById("chain-note");
const spotLine = document.getElementById("chain-spot");
const dates = new Intl.DateTimeFormat("en-US", { weekday: "short", month: "short", day: "numeric", year: "numeric", timeZone: "UTC" });
const percent = (share, digits = 0) => (share === undefined ? "–" : `${(share * 100).toFixed(digits)}%`);

const cell = (name) => Object.assign(document.createElement("td"), { className: name });

// The cells of a side, from the strike outwards, with what fills each.
const FIGURES = [
  ["number", "bid", ({ bid }) => bid ?? "–"],
  ["number", "ask", ({ ask }) => ask ?? "–"],
  ["number", "spread", ({ spread, spread_share: share }) => (spread ? `${spread} ${percent(share).padStart(4, FIGURE_SPACE)}` : "–")],
  ["number more", "delta", ({ delta }) => delta?.toFixed(2).replace("-", "\u2212") ?? "–"],
  ["number more", "iv", ({ volatility }) => percent(volatility, 1)],
];
const CALL_ORDER = ["iv", "delta", "spread", "bid", "ask"];
const PUT_ORDER = ["bid", "ask", "spread", "delta", "iv"];

export function wireChain(button, underlying, choose) {
  let stock = "";
  let fresh = false; // another stock or expiry than the one that is shown
  let asked = 0;

  async function load() {
    const mine = ++asked;
    try {
      const chain = await get(`/lookup/chain/${encodeURIComponent(stock)}/?${new URLSearchParams({ expiry: expiry.value })}`);
      if (mine !== asked || !dialog.open) return;
      note.textContent = chain.expiries.length ? "" : `The market lists no options on ${stock}.`;
      if (fresh) expiry.replaceChildren(...chain.expiries.map((day) => new Option(dates.format(new Date(day)), day, false, day === chain.expiry)));
      spotLine.textContent = chain.spot ? `${stock} ${Number(chain.spot).toFixed(2)}` : "";
      show(chain);
      fresh = false;
    } catch (refusal) {
      if (mine === asked && dialog.open) note.textContent = refusal.message;
    }
  }

  const look = repeat(load, { every: QUOTE_MS, wanted: () => dialog.open, missing: () => fresh });

  function lookAnew() {
    fresh = true;
    note.textContent = "Loading…";
    body.replaceChildren();
    look();
  }

  function show({ rows, spot }) {
    const lines = new Map([...body.children].map((line) => [line.dataset.strike, line]));
    if (rows.length !== lines.size || rows.some(({ strike }) => !lines.has(strike))) body.replaceChildren(...rows.map(line));
    const above = rows.findIndex(({ strike }) => Number(strike) >= Number(spot));
    for (const [number, row] of rows.entries()) {
      const place = body.children[number];
      place.className = number === above ? "at-money" : "";
      fill(place, "call", row.call);
      fill(place, "put", row.put);
    }
    if (!fresh) return;
    scroller.style.scrollPaddingTop = `${scroller.querySelector("thead").offsetHeight}px`; // the head lies over the rows
    body.children[Math.max(0, above - ROWS_ABOVE_MONEY)]?.scrollIntoView({ block: "start" });
  }

  function line({ strike, call, put }) {
    const row = document.createElement("tr");
    row.dataset.strike = strike;
    const figures = (side, order) => order.map((name) => marked(side, name));
    row.append(chooser("call", strike, call), ...figures("call", CALL_ORDER), Object.assign(document.createElement("th"), { className: "strike", scope: "row", textContent: strike }), ...figures("put", PUT_ORDER), chooser("put", strike, put));
    return row;
  }

  function marked(side, name) {
    const made = cell(`${FIGURES.find(([, figure]) => figure === name)[0]} ${side}`);
    made.dataset.figure = name;
    return made;
  }

  function chooser(side, strike, contract) {
    const made = cell(`${side} action-cell`);
    if (!contract) return made;
    const pick = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: "Choose" });
    pick.setAttribute("aria-label", `Choose ${side} ${strike}`);
    pick.addEventListener("click", () => {
      dialog.close();
      choose(contract.symbol);
    });
    made.append(pick);
    return made;
  }

  function fill(row, side, contract) {
    for (const [, name, say] of FIGURES) {
      const place = row.querySelector(`.${side}[data-figure=${name}]`);
      const text = contract ? say(contract) : "";
      if (place.textContent !== text) place.textContent = text;
      place.classList.toggle("dim", contract?.quality === "option_spread_too_wide");
    }
  }

  button.addEventListener("click", () => {
    stock = underlying();
    document.getElementById("chain-title").textContent = `Options on ${stock}`;
    expiry.replaceChildren();
    dialog.showModal();
    lookAnew();
  });
  expiry.addEventListener("change", lookAnew);
  for (const choice of dialog.querySelectorAll("[name=right]")) choice.addEventListener("change", () => (dialog.dataset.right = choice.value));
}
