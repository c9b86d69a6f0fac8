// Buttons that act through the API ([data-act]), forms that ask first ([data-confirm]) and are sent once, copying, and passing notes.

import { call } from "./api.js";
import { refresh } from "./live.js";

const TOAST_MS = 6_000;
const SENDING_MS = 10_000;

export function toast(text, { bad = false } = {}) {
  const note = document.createElement("div");
  note.className = bad ? "toast bad" : "toast";
  note.textContent = text;
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

// Whether the viewer agrees to what the element's data-confirm says.
function confirmed({ confirm, confirmTitle, confirmButton }) {
  const dialog = document.getElementById("confirm");
  if (!confirm) return Promise.resolve(true);
  document.getElementById("confirm-title").textContent = confirmTitle;
  document.getElementById("confirm-text").textContent = confirm;
  document.getElementById("confirm-yes").textContent = confirmButton;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function act(button) {
  if (!(await confirmed(button.dataset))) return;
  button.disabled = true;
  try {
    await call(button.dataset.act, button.dataset.url);
    toast(button.dataset.done);
  } catch (refusal) {
    toast(refusal.message, { bad: true });
  }
  button.disabled = false;
  await refresh();
}

// Where the page came over plain http there is no clipboard: the text is marked, and the browser's older way is tried.
async function copy(button) {
  const source = document.querySelector(button.dataset.copy);
  let copied = false;
  try {
    await navigator.clipboard.writeText(source.textContent);
    copied = true;
  } catch {
    getSelection().selectAllChildren(source);
    copied = document.execCommand("copy");
  }
  button.textContent = copied ? "Copied" : "Marked: now copy it";
}

// A form that is on its way is not sent again by a second press: that would open a second account, or make a second key.
function sendOnce(event) {
  const { dataset } = event.target;
  if ("sending" in dataset) return event.preventDefault();
  dataset.sending = "";
  setTimeout(() => delete dataset.sending, SENDING_MS); // the browser's stop button gives no sign
}

export function wireActions() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act], button[data-copy]");
    if (button?.dataset.act) act(button);
    else if (button) copy(button);
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (!form.dataset.confirm || form.dataset.agreed) return sendOnce(event);
    event.preventDefault();
    if (!(await confirmed(form.dataset))) return;
    form.dataset.agreed = "yes";
    form.requestSubmit();
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sending]")) delete form.dataset.sending; // back, out of the browser's memory
  });
}
