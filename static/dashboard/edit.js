// Editing a limit order: another order takes its place, and the page goes to that one.

import { call } from "./api.js";

const dialog = document.getElementById("edit");
const form = document.getElementById("edit-form");
const problem = document.getElementById("edit-error");

async function replace(event) {
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  const plain = (name) => form.elements[name].value.trim().replace(/^\$/, "").replaceAll(",", "");
  button.disabled = true;
  problem.textContent = "";
  try {
    const order = await call("PATCH", form.dataset.url, { qty: plain("qty"), limit_price: plain("limit_price") });
    location.href = `${form.dataset.orders}${order.id}/`;
  } catch (refusal) {
    problem.textContent = refusal.message;
    button.disabled = false;
  }
}

export function start() {
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#open-edit")) dialog.showModal();
    if (target.closest("#close-edit")) dialog.close();
  });
  form.addEventListener("submit", replace);
}
