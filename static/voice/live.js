// The calls in progress: the socket says that something is new, and the server draws the part anew.
// While there is no socket the part is asked for every few seconds, and now and then while there is one:
// news may be lost.

const place = document.getElementById("calls");
const state = document.getElementById("live");
const POLL_SECONDS = 5;
const LIVE_POLL_SECONDS = 30;
let drawn = Date.now();
let isLive = false;
let wait = 1000;
let asking = false;
let isWanted = false;

// One question at a time; news that come meanwhile are one more question after it.
async function redraw() {
  isWanted = true;
  if (asking) return;
  asking = true;
  while (isWanted) {
    isWanted = false;
    try {
      const response = await fetch(place.dataset.part, { headers: { Accept: "text/html" } });
      if (response.ok && !response.redirected) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        place.replaceChildren(...page.body.children);
        drawn = Date.now();
      }
    } catch {
      // Away for a moment: the last drawing stays.
    }
  }
  asking = false;
}

function show(live) {
  isLive = live;
  state.textContent = live ? state.dataset.on : state.dataset.off;
}

function connect() {
  const socket = new WebSocket(new URL(place.dataset.socket, location.href.replace(/^http/, "ws")));
  socket.onmessage = (event) => {
    if (JSON.parse(event.data).event === "ready") {
      wait = 1000;
      show(true);
    }
    redraw();
  };
  socket.onclose = () => {
    show(false);
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, 30000);
  };
}

setInterval(() => {
  const isOld = Date.now() - drawn > LIVE_POLL_SECONDS * 1000;
  if ((!isLive || isOld) && !document.hidden) redraw();
}, POLL_SECONDS * 1000);
connect();
