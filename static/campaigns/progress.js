// Keeps the figures of a page fresh: asks the address in data-progress until nothing moves any more.

const SECONDS = 2;

function show(card, figures) {
  for (const place of card.querySelectorAll("[data-figure]")) {
    const value = figures[place.dataset.figure];
    if (value === undefined) continue;
    if (place.tagName === "PROGRESS") place.value = value;
    else if (place.textContent !== String(value)) place.textContent = value;
  }
}

async function follow(card) {
  let wait = SECONDS;
  let state = card.dataset.state ?? null;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    if (document.hidden) continue;
    try {
      const response = await fetch(card.dataset.progress, { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      const figures = await response.json();
      show(card, figures);
      // The buttons belong to the state: when it has moved, the page is another.
      if (state !== null && state !== figures.state) return location.reload();
      state = figures.state;
      if (!figures.is_live) return;
      wait = SECONDS;
    } catch {
      wait = Math.min(wait * 2, 30);
    }
  }
}

// A part of the page that the server draws anew, like a chart. An open table stays open.
const DRAW_SECONDS = 20;

async function redraw(place) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, DRAW_SECONDS * 1000));
    if (document.hidden) continue;
    try {
      const response = await fetch(place.dataset.refresh, { headers: { Accept: "text/html" } });
      if (!response.ok || response.redirected) return;
      const open = place.querySelector("details")?.open;
      const drawn = new DOMParser().parseFromString(await response.text(), "text/html");
      place.replaceChildren(...drawn.body.children);
      if (open) place.querySelector("details")?.setAttribute("open", "");
    } catch {
      // Away for a moment: the last drawing stays.
    }
  }
}

for (const place of document.querySelectorAll("[data-refresh]")) redraw(place);
for (const card of document.querySelectorAll("[data-progress]")) follow(card);
