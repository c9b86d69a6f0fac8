// A combobox over the symbol search: type, arrow keys, Enter or a click. What was typed counts too.

import { get } from "./api.js";

const TYPING_MS = 120;

export function wireSearch(input, list, chosen) {
  let timer = 0;
  let active = -1;
  let settled = input.value;

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
    }
  }

  async function search() {
    const text = input.value.trim();
    if (!text || text.startsWith("O:")) return close();
    const { results } = await get(`/lookup/symbols/?q=${encodeURIComponent(text)}`).catch(() => ({ results: [] }));
    if (input.value.trim() !== text || document.activeElement !== input) return;
    list.replaceChildren(...results.map(option));
    list.hidden = results.length === 0;
    input.setAttribute("aria-expanded", String(results.length > 0));
    mark(-1);
  }

  function option({ symbol, name }, number) {
    const item = Object.assign(document.createElement("li"), { id: `found-${number}`, role: "option" });
    const ticker = Object.assign(document.createElement("b"), { textContent: symbol });
    item.append(ticker, name);
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
    if (active >= 0) input.setAttribute("aria-activedescendant", `found-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_MS);
  });
  input.addEventListener("keydown", (event) => {
    const count = options().length;
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      settle(active >= 0 ? options()[active].dataset.symbol : input.value.trim().toUpperCase());
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.hidden && count) {
      event.preventDefault();
      mark((active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1) + count) % count);
    }
  });
  input.addEventListener("change", () => settle(input.value.trim().toUpperCase()));
  input.addEventListener("blur", () => settle(input.value.trim().toUpperCase()));
}
