// Notes and tags of an order or a run: a dialog that any [data-labels] button opens.

import { call } from "./api.js";
import { refresh } from "./live.js";
import { showErrors } from "./refusals.js";

const dialog = document.getElementById("labels");
const form = document.getElementById("labels-form");

let address = "";

function open(button) {
  address = button.dataset.labels;
  document.getElementById("labels-title").textContent = button.dataset.title;
  form.elements.tags.value = button.dataset.tags;
  form.elements.note.value = button.dataset.note;
  showRefusal({});
  dialog.showModal();
}

const showRefusal = (refusal) => showErrors(form, document.getElementById("labels-error"), refusal);

async function save(event) {
  event.preventDefault();
  const tags = form.elements.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  try {
    await call("PATCH", address, { tags, note: form.elements.note.value });
    dialog.close();
    await refresh();
  } catch (refusal) {
    showRefusal(refusal);
  }
}

export function start() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-labels]");
    if (button) open(button);
  });
  form.addEventListener("submit", save);
  document.getElementById("close-labels").addEventListener("click", () => dialog.close());
}
