// Symbols as words, and prices as the page writes them.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const OPTION = /^O:([A-Z]+\d?)(\d\d)(\d\d)(\d\d)([CP])(\d{8})$/;

export const prices = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 6 });

export const isOption = (symbol) => symbol.startsWith("O:");

// The stock of an option; a stock's is itself.
export const underlyingOf = (symbol) => OPTION.exec(symbol)?.[1] ?? symbol;

// "IBM Oct 19 2013 100 call"; a stock's ticker as it is.
export function nameOf(symbol) {
  const match = OPTION.exec(symbol);
  if (!match) return symbol;
  const [, root, year, month, day, right, strike] = match;
  return `${root} ${MONTHS[Number(month) - 1]} ${day} 20${year} ${Number(strike) / 1000} ${right === "C" ? "call" : "put"}`;
}
