// Sorting, filtering and paging without a reload. Links and the form work by themselves too; this only keeps the page still.

import { refresh } from "./live.js";

const TYPING_MS = 250;

let timer = 0;

async function go(query) {
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  const sort = document.getElementById("sort");
  if (sort) sort.value = new URLSearchParams(query).get("sort") ?? "";
  const address = document.querySelector("[data-export]");
  if (address) address.href = `${address.pathname}${location.search}`;
  await refresh();
}

// The form's filters and its sort; another filter starts at the first page.
function queryOf(form) {
  return new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
}

export function wireTables() {
  const form = document.querySelector("[data-table-form]");
  if (!form) return;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => go(queryOf(form)), TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(queryOf(form));
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-table-link]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    go(new URL(link.href).search.slice(1));
  });
}
