// Ids of orders, which make sending one again safe.

const BYTES = 16;

// Not crypto.randomUUID, which pages have only where they come over https or from this machine.
export const newOrderId = () => `web-${[...crypto.getRandomValues(new Uint8Array(BYTES))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
