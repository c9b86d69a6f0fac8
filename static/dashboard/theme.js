// Light or dark: as the system says, until the viewer chooses. The choice is a cookie, so that the server draws it at once.

const YEAR_SECONDS = 31_536_000;
const system = matchMedia("(prefers-color-scheme: dark)");

const current = () => document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
const announce = () => document.dispatchEvent(new CustomEvent("papertrade:theme"));

export function wireTheme() {
  document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
    const theme = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;
    announce();
  });
  system.addEventListener("change", announce);
}
