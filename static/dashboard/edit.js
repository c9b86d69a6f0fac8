// Editing an open order from its page or from a list: another order takes its place. The page of an order goes to that one.

import { toast } from "./actions.js";
import { call } from "./api.js";
import { newOrderId } from "./ids.js";
import { refresh } from "./live.js";
import { plainNumber } from "./numbers.js";
import { showErrors } from "./refusals.js";
import { isOption } from "./symbols.js";

const dialog = document.getElementById("edit");
const form = document.getElementById("edit-form");

let editing = null;
let id = "";

const showRefusal = (refusal) => showErrors(form, document.getElementById("edit-error"), refusal);

function open({ dataset }) {
  editing = dataset;
  id = newOrderId(); // of the order that is to come: sending the form again cannot make two
  document.getElementById("edit-title").textContent = `Edit order ${dataset.number}`;
  document.getElementById("edit-words").textContent = dataset.words;
  form.elements.qty.value = dataset.qty;
  form.elements.limit_price.value = dataset.limit;
  document.getElementById("edit-limit-field").hidden = !dataset.limit;
  form.elements.time_in_force.value = dataset.force;
  form.elements.time_in_force.querySelector("[value=gtc]").disabled = isOption(dataset.symbol);
  showRefusal({});
  dialog.showModal();
}

function changes() {
  const { qty, limit_price: limit, time_in_force: force } = form.elements;
  const changed = { qty: plainNumber(qty.value), time_in_force: force.value, client_order_id: id };
  return editing.limit ? { ...changed, limit_price: plainNumber(limit.value) } : changed;
}

async function replace(event) {
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  showRefusal({});
  try {
    const order = await call("PATCH", editing.edit, changes());
    if (editing.follow) return location.assign(`${editing.follow}${order.id}/`);
    dialog.close();
    toast(`Order ${editing.number} was replaced.`);
    await refresh();
  } catch (refusal) {
    showRefusal(refusal);
  } finally {
    button.disabled = false;
  }
}

export function start() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-edit]");
    if (button) open(button);
    if (target.closest("#close-edit")) dialog.close();
  });
  form.addEventListener("submit", replace);
}
