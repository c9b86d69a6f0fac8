// Make an element like another of the same place, changing only what differs: no flicker, focus and scrolling stay.
// Rows are matched by data-key; an element with data-keep is left alone once it is there. What the server's page cannot know is
// left alone too: what somebody has opened, typed or chosen, and what a script holds back while it waits for an answer.

const OF_THE_VIEWER = new Set(["open", "disabled"]);

export function morph(now, next) {
  if (now.isEqualNode(next) || now.hasAttribute("data-keep")) return;
  morphAttributes(now, next);
  if (now.tagName === "SELECT") return;
  morphChildren(now, next);
}

function morphAttributes(now, next) {
  for (const { name, value } of next.attributes) if (!OF_THE_VIEWER.has(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
  for (const { name } of [...now.attributes]) if (!OF_THE_VIEWER.has(name) && !next.hasAttribute(name)) now.removeAttribute(name);
}

function morphChildren(now, next) {
  const keyed = new Map([...now.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  let place = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = wanted.dataset?.key ? keyed.get(wanted.dataset.key) : alike(place, wanted) ? place : null;
    if (!known) {
      now.insertBefore(wanted.cloneNode(true), place);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else now.insertBefore(known, place);
    if (known.nodeType === Node.ELEMENT_NODE) morph(known, wanted);
    else if (known.nodeValue !== wanted.nodeValue) known.nodeValue = wanted.nodeValue;
  }
  while (place) {
    const following = place.nextSibling;
    place.remove();
    place = following;
  }
}

function alike(node, wanted) {
  if (!node || node.nodeType !== wanted.nodeType) return false;
  return node.nodeType !== Node.ELEMENT_NODE || (node.tagName === wanted.tagName && !node.dataset.key);
}
