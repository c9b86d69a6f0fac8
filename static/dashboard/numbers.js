// Numbers as people type them, as the API takes them: "$1,000.50" is 1000.50. The dashboard's forms.py has the same rule.

const GROUPED = /^\d{1,3}(,\d{3})+(\.\d*)?$/;

// The text without a dollar sign, and without commas where they part thousands. Any other comma may be a decimal one, as in
// "1,5": it stays, and the server refuses what is no number.
export function plainNumber(text) {
  const bare = text.trim().replace(/^\$\s*/, "");
  return GROUPED.test(bare) ? bare.replaceAll(",", "") : bare;
}
