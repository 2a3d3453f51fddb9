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
  list.querySelector("[data-nothing]")?.remove();
  const item = made("li", "mb-3 p-4 rounded-default border border-base-200 dark:border-base-800");
  item.id = `m${message.seq}`;
  item.dataset.seq = message.seq;
  const text = made("div");
  text.dataset.text = "";
  text.dir = "auto";
  item.append(headOf(message), text);
  const later = [...list.children].find((one) => Number(one.dataset.seq) > message.seq);
  list.insertBefore(item, later ?? null);
  return item;
}

function headOf(message) {
  const head = made("p", "text-base-500 dark:text-base-400 flex justify-between gap-4 mb-2");
  const link = made("a", "whitespace-nowrap");
  link.href = `#m${message.seq}`;
  link.textContent = `${new Date(message.at).toLocaleString(document.documentElement.lang)} · ${message.seq}`;
  const author = made("strong");
  author.dir = "auto";
  author.textContent = list.dataset[message.author];
  head.append(author, link);
  return head;
}

function made(tag, kind = "") {
  const element = document.createElement(tag);
  element.className = kind;
  return element;
}

// A new message is followed by whoever is at the end of the page; nobody who reads above is moved.
function show(message) {
  const page = document.documentElement;
  const isAtEnd = page.scrollHeight - innerHeight - scrollY < 160;
  const isNew = !document.getElementById(`m${message.seq}`);
  const item = itemOf(message);
  const lines = message.text.split(/\n{2,}/).map((part) => {
    const line = made("p");
    line.append(...part.split("\n").flatMap((words, number) => (number ? [made("br"), words] : [words])));
    return line;
  });
  item.querySelector("[data-text]").replaceChildren(...lines);
  if (message.state === "complete") item.querySelector("[data-state]")?.remove();
  if (message.state !== "streaming") last = Math.max(last, message.seq);
  if (isNew && isAtEnd) item.scrollIntoView({ block: "nearest" });
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
  if (list.dataset.live) connect();
}
