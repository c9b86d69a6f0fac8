// Where the window is too narrow for the ticket beside the page it is a sheet: a dialog that the bar at the bottom opens.

const narrow = matchMedia("(max-width: 1080px)"); // as in dashboard.css

const sheet = document.getElementById("sheet");
const ticket = document.getElementById("ticket");
const beside = ticket.parentElement;

function place() {
  if (narrow.matches) sheet.append(ticket);
  else {
    sheet.close();
    beside.prepend(ticket);
  }
}

// Show the ticket, wherever it is.
export function openSheet() {
  if (narrow.matches && !sheet.open) sheet.showModal();
}

export function wireSheet() {
  place();
  narrow.addEventListener("change", place);
  document.getElementById("close-sheet").addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
}
