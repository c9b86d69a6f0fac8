// The option chain: expiry, call or put, and the strikes around the stock's price with their quotes.

import { get } from "./api.js";

const dialog = document.getElementById("chain");
const body = dialog.querySelector("tbody");
const expiry = document.getElementById("chain-expiry");
const note = document.getElementById("chain-note");
const dates = new Intl.DateTimeFormat("en-US", { weekday: "short", month: "short", day: "numeric", year: "numeric", timeZone: "UTC" });

const text = (tag, content, name = "") => Object.assign(document.createElement(tag), { textContent: content, className: name });

export function wireChain(button, underlying, choose) {
  let stock = "";

  async function load() {
    note.textContent = "";
    body.replaceChildren();
    try {
      const right = dialog.querySelector("[name=right]:checked").value;
      const chain = await get(`/lookup/chain/${encodeURIComponent(stock)}/?${new URLSearchParams({ expiry: expiry.value, right })}`);
      if (!chain.expiries.length) note.textContent = `The market lists no options on ${stock}.`;
      expiry.replaceChildren(...chain.expiries.map((day) => new Option(dates.format(new Date(day)), day, false, day === chain.expiry)));
      if (chain.contracts.length) await fill(chain);
    } catch (refusal) {
      note.textContent = refusal.message;
    }
  }

  async function fill(chain) {
    const symbols = chain.contracts.map(({ symbol }) => symbol).join(",");
    const { results } = await get(`${document.getElementById("ticket").dataset.quotes}?symbols=${encodeURIComponent(symbols)}`);
    const above = chain.contracts.findIndex(({ strike }) => Number(strike) >= Number(chain.spot));
    body.replaceChildren(...chain.contracts.map((contract, number) => row(contract, results[number], number === above)));
    body.children[Math.max(0, above - 4)]?.scrollIntoView({ block: "start" });
  }

  function row({ symbol, strike }, quote, atMoney) {
    const line = document.createElement("tr");
    if (atMoney) line.className = "at-money";
    const pick = text("button", "Choose", "small");
    pick.type = "button";
    pick.setAttribute("aria-label", `Choose strike ${strike}`);
    pick.addEventListener("click", () => {
      dialog.close();
      choose(symbol);
    });
    const last = text("td", "", "action");
    last.append(pick);
    const sizes = quote.bid_size === null ? "–" : `${Number(quote.bid_size)} × ${Number(quote.ask_size)}`;
    line.append(text("td", strike, "number"), text("td", quote.bid ?? "–", "number"), text("td", quote.ask ?? "–", "number"), text("td", sizes, "number"), text("td", quote.quality.replaceAll("_", " ")), last);
    return line;
  }

  button.addEventListener("click", () => {
    stock = underlying();
    document.getElementById("chain-title").textContent = `Options on ${stock}`;
    expiry.replaceChildren();
    dialog.showModal();
    load();
  });
  expiry.addEventListener("change", load);
  for (const choice of dialog.querySelectorAll("[name=right]")) choice.addEventListener("change", load);
}
