// A combobox over the symbol search: type, arrow keys, Enter or a click. The server says which ticker a text means.

import { get } from "./api.js";

const TYPING_MS = 120;

export function wireSearch(input, list, chosen) {
  let timer = 0;
  let active = -1;
  let settled = input.value;
  let settling = Promise.resolve();

  const options = () => [...list.children];
  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  function settle(value) {
    clearTimeout(timer);
    close();
    input.value = value;
    if (value !== settled) {
      settled = value;
      chosen();
      settled = input.value; // where what is chosen goes elsewhere
    }
  }

  const lookUp = (text) => get(`/lookup/symbols/?q=${encodeURIComponent(text)}`).catch(() => ({ results: [], meant: "" }));

  // What is meant by the text: "apple" is AAPL. What nothing matches stays as it is.
  async function settleBest() {
    clearTimeout(timer);
    const text = input.value.trim();
    if (!text || /^o:/i.test(text) || text === settled) return settle(text.toUpperCase());
    const { meant } = await lookUp(text);
    if (input.value.trim() !== text) return undefined;
    return settle(meant || text.toUpperCase());
  }

  async function search() {
    const text = input.value.trim();
    if (!text || /^o:/i.test(text)) return close();
    const { results } = await lookUp(text);
    if (input.value.trim() !== text || document.activeElement !== input) return;
    list.replaceChildren(...results.map(option));
    list.hidden = results.length === 0;
    input.setAttribute("aria-expanded", String(results.length > 0));
    mark(-1);
  }

  function option({ symbol, name }, number) {
    const item = Object.assign(document.createElement("li"), { id: `${list.id}-${number}`, role: "option" });
    const ticker = Object.assign(document.createElement("b"), { textContent: symbol });
    item.append(ticker, name || Object.assign(document.createElement("span"), { className: "quiet", textContent: "as typed" }));
    item.dataset.symbol = symbol;
    item.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      settle(symbol);
    });
    return item;
  }

  function mark(number) {
    active = number;
    for (const [place, item] of options().entries()) item.setAttribute("aria-selected", String(place === active));
    if (active >= 0) input.setAttribute("aria-activedescendant", `${list.id}-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_MS);
  });
  input.addEventListener("keydown", (event) => {
    const count = options().length;
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (active >= 0 || input.value.trim() !== settled)) {
      event.preventDefault();
      if (active >= 0) settle(options()[active].dataset.symbol);
      else settling = settleBest();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.hidden && count) {
      event.preventDefault();
      mark((active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1) + count) % count);
    }
  });
  input.addEventListener("blur", () => {
    close();
    settling = settleBest();
  });
  // A symbol from elsewhere, which is meant as it is.
  function put(symbol) {
    clearTimeout(timer);
    close();
    input.value = symbol;
    settled = symbol;
  }

  // `settled` resolves when the input says what it means.
  return { put, settled: () => settling, isTyping: () => input.value !== settled };
}
