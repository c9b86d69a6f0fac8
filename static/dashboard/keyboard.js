// Keys for those who trade with the keyboard; none of them while something is typed.

const AWAIT_MS = 1_500;
const GO = { o: "orders/", p: "positions/", f: "fills/", t: "trades/", r: "performance/", a: "activity/", l: "ledger/", h: "" };

let awaiting = 0;

const typing = ({ target }) => target.closest("input, select, textarea, [contenteditable], dialog[open]");

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`papertrade:${name}`, { detail }));

// To the search of a table, or else to the ticket's symbol.
function look() {
  const search = document.getElementById("search");
  if (search) search.focus();
  else tell("trade", {});
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  const home = document.getElementById("account")?.dataset.home;
  if (awaiting && home && event.key in GO) {
    location.href = home + GO[event.key];
    return;
  }
  awaiting = 0;
  if (event.key === "/") look();
  else if (event.key === "b") tell("trade", { side: "buy" });
  else if (event.key === "s") tell("trade", { side: "sell" });
  else if (event.key === "w") tell("watch");
  else if (event.key === "?") document.getElementById("keys-help")?.showModal();
  else if (event.key === "g") awaiting = setTimeout(() => (awaiting = 0), AWAIT_MS);
  else return;
  event.preventDefault();
}

export function wireKeyboard() {
  document.addEventListener("keydown", pressed);
}
