// The transcript staff look at: it shows the message a citation named, and what is said while they watch.

const list = document.getElementById("transcript");
const state = document.getElementById("live");
let last = Number(list?.dataset.last ?? 0);
let wait = 1000;

function showHighlighted() {
  const seq = list.dataset.highlighted;
  const item = seq && document.getElementById(`m${seq}`);
  if (!item) return;
  item.scrollIntoView({ block: "center" });
  item.focus({ preventScroll: true });
}

function itemOf(message) {
  const known = document.getElementById(`m${message.seq}`);
  if (known) return known;
  const item = document.createElement("li");
  item.id = `m${message.seq}`;
  item.dataset.seq = message.seq;
  item.className = "mb-3 p-4 rounded-default border border-base-200 dark:border-base-800";
  const head = document.createElement("p");
  head.className = "text-base-500";
  head.textContent = `${message.author} · ${new Date(message.at).toLocaleString()} · ${message.seq}`;
  const text = document.createElement("div");
  text.dataset.text = "";
  text.dir = "auto";
  item.append(head, text);
  list.append(item);
  return item;
}

function show(message) {
  const text = itemOf(message).querySelector("[data-text]");
  const lines = message.text.split(/\n{2,}/).map((part) => {
    const line = document.createElement("p");
    line.textContent = part;
    return line;
  });
  text.replaceChildren(...lines);
  if (message.state !== "streaming") last = Math.max(last, message.seq);
}

function appendDelta(frame) {
  const text = document.getElementById(`m${frame.seq}`)?.querySelector("[data-text]");
  if (text) text.textContent = text.textContent.slice(0, frame.offset) + frame.text;
}

function receive(socket, frame) {
  if (frame.type === "hello") socket.send(JSON.stringify({ type: "resume", after: last }));
  if (frame.type === "message" || frame.type === "done") show(frame.message);
  if (frame.type === "delta") appendDelta(frame);
}

function connect() {
  const socket = new WebSocket(new URL(list.dataset.live, location.href.replace(/^http/, "ws")));
  socket.onmessage = (event) => receive(socket, JSON.parse(event.data));
  socket.onopen = () => {
    wait = 1000;
    if (state) state.textContent = state.dataset.on;
  };
  socket.onclose = (event) => {
    if (state) state.textContent = state.dataset.off;
    if (event.code >= 4400 && event.code < 4408) return;
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, 30000);
  };
}

if (list) {
  showHighlighted();
  connect();
}
