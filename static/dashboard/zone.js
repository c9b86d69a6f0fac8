// Exchange time or the viewer's: the server writes every time in the zone of this cookie.

const YEAR_SECONDS = 31_536_000;

export function wireZone() {
  document.querySelector("[data-zone-toggle]")?.addEventListener("click", ({ currentTarget }) => {
    const zone = currentTarget.dataset.zoneToggle || Intl.DateTimeFormat().resolvedOptions().timeZone;
    document.cookie = `zone=${zone}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;
    location.reload();
  });
}
