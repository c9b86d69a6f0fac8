// What the server refused, put at the fields that it names, as sentences.

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// "must be above 0" of a field as a sentence about it.
function sentence(field, name, problem) {
  const label = field?.labels?.[0]?.textContent ?? capital(name.replaceAll("_", " "));
  const whole = /^[A-Z]/.test(problem) ? problem : `${label.replace(/, .*$/, "")} ${problem}`;
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

// Each [data-error] of the form says what is wrong with its field; `rest` says what belongs to none of them. Of nothing refused
// (`{}`) all are empty again.
export function showErrors(form, rest, { details = {}, message = "" }) {
  const placed = Object.keys(details).filter((name) => form.querySelector(`[data-error=${CSS.escape(name)}]`));
  for (const line of form.querySelectorAll("[data-error]")) {
    const name = line.dataset.error;
    line.textContent = placed.includes(name) ? sentence(form.elements[name], name, `${details[name]}`) : "";
    form.elements[name]?.setAttribute("aria-invalid", String(placed.includes(name)));
  }
  rest.textContent = placed.length ? "" : message;
}
