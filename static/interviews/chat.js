// The recipient's pages: the live chat (docs/live-chat.md), the last page's wait for its PDF, and the colour switch.
// Without this script the same pages are a transcript with a form.

const byId = (id) => document.getElementById(id);
const readWords = () => JSON.parse(byId("words")?.textContent ?? "{}");

// --- light and dark ---------------------------------------------------------------------------

function switchColours() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = dark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  const secure = location.protocol === "https:" ? ";secure" : "";
  document.cookie = `rapport_theme=${theme};path=/;max-age=31536000;samesite=lax${secure}`;
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  button.hidden = false;
  button.addEventListener("click", switchColours);
}

// --- the last page ----------------------------------------------------------------------------

async function waitForPdf(page) {
  const words = readWords();
  for (let pause = 1500, tries = 0; tries < 40; tries += 1, pause = Math.min(pause * 1.25, 10000)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const response = await fetch(page.dataset.status, { headers: { Accept: "application/json" } }).catch(() => null);
    if (response && !response.ok) return;
    const state = response ? (await response.json()).pdf.state : "working";
    if (state === "failed") return location.reload();
    if (state === "ready") {
      byId("pdf-state").textContent = words.ready;
      byId("pdf-link").hidden = false;
      return;
    }
  }
  byId("pdf-state").textContent = words.late;
}

// --- the chat ---------------------------------------------------------------------------------

class Chat {
  constructor(log) {
    this.log = log;
    this.words = readWords();
    this.form = byId("composer");
    this.box = byId("text");
    this.state = byId("connection");
    this.lastSeq = Number(log.dataset.lastSeq);
    this.pending = new Map(); // client id → what was sent and not yet accepted
    this.replying = null; // the article of the reply that is awaited or being written
    this.failures = 0; // of the connection, in a row
    this.isOpen = false;
    this.isOver = false;
    this.isTakenOver = this.words.takenOver; // staff speak: no reply is to be waited for
    this.follows = true;
    this.isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.hasKeyboard = matchMedia("(pointer: fine)").matches;
    this.draftKey = `rapport:${this.words.conversation}:draft`;
    this.outboxKey = `rapport:${this.words.conversation}:outbox`;
  }

  start() {
    this.form.noValidate = true;
    this.box.setAttribute("enterkeyhint", this.hasKeyboard ? "send" : "enter");
    this.box.value ||= stored(this.draftKey) ?? "";
    this.listen();
    this.fitBox();
    for (const form of this.log.querySelectorAll("form.trouble")) this.reviveRetry(form);
    for (const time of this.log.querySelectorAll(".said time")) this.tellLocalTime(time);
    for (const sent of JSON.parse(stored(this.outboxKey) ?? "[]")) this.showPending(sent);
    this.scrollToEnd();
    if (this.hasKeyboard) this.box.focus({ preventScroll: true });
    this.connect();
  }

  listen() {
    this.form.addEventListener("submit", (event) => this.submitted(event));
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("keydown", (event) => {
      const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing && this.hasKeyboard;
      if (!sends) return;
      event.preventDefault();
      this.form.requestSubmit(byId("send"));
    });
    byId("halt").addEventListener("click", () => this.tell({ type: "stop" }));
    byId("pill").addEventListener("click", () => this.scrollToEnd());
    addEventListener("scroll", () => this.scrolled(), { passive: true });
    addEventListener("resize", () => this.follows && this.scrollToEnd());
    new ResizeObserver(() => this.makeRoom()).observe(document.querySelector(".foot-bar"));
    addEventListener("online", () => this.connectNow());
    addEventListener("offline", () => this.say(this.words.offline, true));
    document.addEventListener("visibilitychange", () => !document.hidden && this.connectNow());
    document.addEventListener("click", (event) => {
      const menu = byId("menu");
      if (menu.open && !menu.contains(event.target)) menu.open = false;
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.closeMenu());
    const earlier = byId("earlier").querySelector("button");
    earlier.hidden = false;
    earlier.addEventListener("click", () => this.loadEarlier());
  }

  // --- the connection ---------------------------------------------------------------------------

  connect() {
    if (this.isOver) return;
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/chat/${this.words.conversation}/live`);
    this.socket = socket;
    socket.addEventListener("message", (event) => socket === this.socket && this.heard(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => socket === this.socket && this.lost(event.code));
  }

  connectNow() {
    if (!this.isOver && (!this.socket || this.socket.readyState > WebSocket.OPEN)) this.connect();
  }

  lost(code) {
    this.isOpen = false;
    clearInterval(this.pulse);
    if (code === 4401 || code === 4404) {
      this.isOver = true;
      this.say(this.words.linkEnded, true);
      return;
    }
    this.failures += 1;
    this.say(navigator.onLine ? this.words.connecting : this.words.offline, true);
    const longest = Math.min(30000, 500 * 2 ** Math.min(this.failures, 6));
    this.timer = setTimeout(() => this.connect(), longest / 2 + (Math.random() * longest) / 2);
  }

  tell(frame) {
    if (!this.isOpen || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  heard(frame) {
    const handlers = {
      hello: () => this.admitted(frame),
      resumed: () => this.caughtUp(frame),
      accepted: () => this.accepted(frame),
      message: () => this.show(frame.message),
      reply_started: () => this.replyStarted(frame),
      delta: () => this.grow(frame),
      done: () => this.replyDone(frame),
      failed: () => this.replyFailed(frame),
      progress: () => this.showProgress(frame.progress),
      closed: () => this.ended(frame.reason),
      error: () => this.refused(frame),
    };
    handlers[frame.type]?.();
  }

  admitted(frame) {
    this.isOpen = true;
    this.showProgress(frame.progress);
    this.tell({ type: "resume", after: this.lastSeq });
    clearInterval(this.pulse);
    this.pulse = setInterval(() => this.tell({ type: "ping" }), 25000);
  }

  caughtUp() {
    if (this.failures) this.say("");
    this.failures = 0;
    for (const sent of this.pending.values()) this.transmit(sent);
    this.watchForReply();
  }

  // --- what the person sends --------------------------------------------------------------------

  submitted(event) {
    event.preventDefault();
    const asked = this.askedBy(event.submitter);
    if (!asked) return;
    this.closeMenu();
    if (!asked.text) return this.box.focus();
    if (this.replying && !asked.retry) return this.say(this.words.stillWriting, true);
    if (this.isDoubleClick(asked)) return;
    if (asked.isTyped) this.clearBox();
    const id = newId();
    this.follows = true;
    this.showPending({ id, text: asked.text, act: asked.act, key: asked.key });
    this.keepOutbox();
    this.transmit(this.pending.get(id));
    if (this.hasKeyboard) this.box.focus({ preventScroll: true });
    else if (!asked.isTyped) this.pending.get(id).article.focus({ preventScroll: true });
  }

  askedBy(button) {
    const current = this.form.elements.question_key.value;
    // Which question is before this one, the server knows.
    if (button?.name === "act") return { text: this.words.acts[button.value], act: button.value, key: button.value === "back" ? "" : current };
    if (button?.name === "choice") return { text: button.value };
    if (button?.name === "pick") return { text: byId("date").value };
    const text = this.box.value.trim();
    if (text.length > this.words.longest) return null;
    return { text, isTyped: true };
  }

  // A reply without a model can be there before the second click of a double click, which would skip another question.
  isDoubleClick({ act }) {
    const before = this.pressed;
    this.pressed = { act, at: performance.now() };
    return Boolean(act && before?.act === act && this.pressed.at - before.at < 1000);
  }

  transmit(sent) {
    clearTimeout(sent.timer);
    const frame = { type: "send", client_message_id: sent.id, text: sent.text };
    if (sent.act) Object.assign(frame, { act: sent.act, question_key: sent.key ?? "" });
    this.markSending(sent);
    if (this.tell(frame)) sent.timer = setTimeout(() => this.markUnsent(sent), 10000);
    else this.say(navigator.onLine ? this.words.connecting : this.words.offline, true);
  }

  showPending(sent) {
    const article = this.article({ author: "person", text: sent.text, at: new Date().toISOString() });
    this.pending.set(sent.id, { ...sent, article });
    this.place(article, Infinity);
    this.hideChips();
    this.settle();
  }

  markSending(sent) {
    sent.article.querySelector(".trouble, .under")?.remove();
    sent.article.classList.add("sending");
    sent.article.append(element("p", "under", this.words.sending));
  }

  markUnsent(sent, why) {
    clearTimeout(sent.timer);
    sent.article.classList.remove("sending");
    sent.article.querySelector(".trouble, .under")?.remove();
    sent.article.append(this.trouble(why ?? this.words.notSent, () => this.transmit(sent)));
    this.settle();
  }

  accepted(frame) {
    const sent = this.pending.get(frame.client_message_id);
    this.forget(frame.client_message_id);
    this.say("");
    this.show(frame.message, sent?.article);
    if (!this.replying && !this.isTakenOver) this.awaitReply();
    this.watchForReply();
  }

  forget(id) {
    clearTimeout(this.pending.get(id)?.timer);
    this.pending.delete(id);
    this.keepOutbox();
  }

  keepOutbox() {
    const sent = [...this.pending.values()].map(({ id, text, act, key }) => ({ id, text, act, key }));
    store(this.outboxKey, sent.length ? JSON.stringify(sent) : "");
  }

  refused(frame) {
    const sent = this.pending.get(frame.client_message_id);
    if (sent) this.markUnsent(sent, frame.message);
    else this.say(frame.message, true);
  }

  // --- messages and replies ---------------------------------------------------------------------

  show(message, article = null) {
    const mine = message.client_message_id && this.pending.get(message.client_message_id);
    const known = article ?? byId(`m${message.seq}`) ?? mine?.article;
    if (mine) this.forget(message.client_message_id);
    if (message.author === "persona" && message.state !== "complete") return this.showUnfinished(message);
    const made = this.article(message);
    if (known) this.swap(known, made);
    else this.place(made, message.seq);
    if (message.author === "persona") this.replyShown(message, known);
    if (message.author === "system") this.handOver(message.act);
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    if (message.author !== "person" && !known) this.announce(message);
    this.settle();
  }

  replyShown(message, known) {
    if (this.replying && this.replying !== known) this.replying.remove();
    this.setReplying(null);
    this.showChips(message);
  }

  // A reply that has begun is still written to its end; one that has not is not coming.
  handOver(act) {
    if (act === "handed_back") this.isTakenOver = false;
    if (act !== "taken_over") return;
    this.isTakenOver = true;
    this.hideChips();
    if (!this.replying || this.replying.dataset.seq) return;
    this.replying.remove();
    this.setReplying(null);
  }

  showUnfinished(message) {
    if (message.state === "failed") {
      const frame = { seq: message.seq, reply_to: message.reply_to, message: "", retryable: true };
      return this.replyFailed(frame);
    }
    this.replyStarted({ seq: message.seq });
    this.setText(message.text);
  }

  awaitReply() {
    const article = this.article({ author: "persona", text: "", at: new Date().toISOString() });
    article.classList.add("waiting");
    article.querySelector(".words").classList.add("caret");
    article.querySelector(".words").append(element("span", "visually-hidden", this.words.writing));
    this.setReplying(article);
    this.place(article, Infinity);
    this.settle();
  }

  replyStarted(frame) {
    const failed = byId(`m${frame.seq}`);
    if (failed && failed !== this.replying) failed.remove();
    if (!this.replying) this.awaitReply();
    this.replying.id = `m${frame.seq}`;
    this.replying.dataset.seq = frame.seq;
    this.replying.said = "";
    clearTimeout(this.patience);
    byId("halt").hidden = false;
    byId("send").hidden = true;
  }

  grow(frame) {
    if (this.replying?.dataset.seq !== String(frame.seq)) this.replyStarted(frame);
    const said = this.replying.said;
    if (frame.offset > said.length) return this.tell({ type: "resume", after: this.lastSeq });
    this.setText(said.slice(0, frame.offset) + frame.text);
  }

  setText(text) {
    this.replying.said = text;
    const shown = this.isCalm ? wholeSentences(text) : text;
    const words = this.replying.querySelector(".words");
    if (shown && words.textContent !== shown) words.textContent = shown;
    this.settle();
  }

  replyDone(frame) {
    this.show(frame.message, this.replying);
    this.announce(frame.message);
    this.showProgress(frame.progress);
    if (this.state.textContent === this.words.stillWriting) this.say("");
  }

  replyFailed(frame) {
    const person = frame.reply_to || this.lastPersonSeq();
    const article = element("article", "said persona failed");
    if (frame.seq) article.id = `m${frame.seq}`;
    article.dataset.seq = frame.seq || "";
    const words = frame.message || this.words.noReply;
    article.append(frame.retryable ? this.trouble(words, () => this.retry(person, article)) : element("p", "trouble", words));
    const old = byId(`m${frame.seq}`);
    if (this.replying ?? old) this.swap(this.replying ?? old, article);
    else this.place(article, frame.seq || Infinity);
    this.setReplying(null);
    byId("announcer").textContent = words;
    this.settle();
  }

  retry(seq, article) {
    if (!this.tell({ type: "retry", seq })) return this.say(this.words.connecting, true);
    article.remove();
    this.awaitReply();
    this.watchForReply();
    if (this.hasKeyboard) this.box.focus({ preventScroll: true });
  }

  reviveRetry(form) {
    const button = form.querySelector("button");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.retry(Number(button.value), form.closest("article"));
    });
  }

  // The server writes times as it knows them; the person's own clock knows better.
  tellLocalTime(time) {
    const article = time.closest("article");
    const shown = time.textContent;
    time.textContent = clock(time.dateTime);
    article.setAttribute("aria-label", article.getAttribute("aria-label").replace(shown, time.textContent));
  }

  // A message whose reply nobody began: its process died. The page offers to ask again.
  watchForReply() {
    clearTimeout(this.patience);
    if (this.isTakenOver) return;
    this.patience = setTimeout(() => {
      const last = [...this.log.querySelectorAll(".said[data-seq]")].filter((one) => one.dataset.seq).at(-1);
      const isOurs = last?.classList.contains("person");
      if (!isOurs || this.isTakenOver || (this.replying && this.replying.said) || !this.isOpen || this.isOver) return;
      this.replyFailed({ seq: 0, reply_to: Number(last.dataset.seq), message: this.words.noReply, retryable: true });
    }, 20000);
  }

  lastPersonSeq() {
    return Number([...this.log.querySelectorAll(".person[data-seq]")].at(-1)?.dataset.seq ?? 0);
  }

  setReplying(article) {
    this.replying = article;
    const isWriting = Boolean(article?.dataset.seq);
    byId("halt").hidden = !isWriting;
    byId("send").hidden = isWriting;
    this.log.setAttribute("aria-busy", String(Boolean(article)));
  }

  ended(reason) {
    this.isOver = true;
    this.isOpen = false;
    clearInterval(this.pulse);
    this.hideChips();
    store(this.draftKey, "");
    store(this.outboxKey, "");
    if (!["completed", "stopped", "limit"].includes(reason)) return location.reload();
    this.form.hidden = true;
    byId("ended").hidden = false;
    byId("menu").hidden = true;
    byId("announcer").textContent += ` ${this.words.ended}`;
    if (this.hasKeyboard) byId("ended").querySelector("a").focus({ preventScroll: true });
    this.settle();
  }

  // --- drawing ----------------------------------------------------------------------------------

  article(message) {
    const time = clock(message.at);
    const author = this.nameOf(message.author);
    const article = element("article", `said ${message.author}`);
    article.tabIndex = -1;
    article.setAttribute("aria-label", `${author}, ${time}`);
    article.dataset.author = author;
    if (message.seq) {
      article.id = `m${message.seq}`;
      article.dataset.seq = message.seq;
    }
    const words = element("div", "words", message.act === "withheld" ? this.words.withheld : message.text);
    words.dir = "auto";
    if (message.author !== "system") words.lang = this.words.language;
    const meta = element("p", "meta", message.author === "person" ? time : `${author} · ${time}`);
    meta.setAttribute("aria-hidden", "true");
    article.append(words, meta);
    return article;
  }

  nameOf(author) {
    const names = { person: this.words.you, persona: this.words.interviewer, staff: this.words.staff };
    return names[author] ?? this.words.system;
  }

  swap(old, made) {
    const hadFocus = old.contains(document.activeElement);
    old.replaceWith(made);
    if (hadFocus) made.focus({ preventScroll: true });
  }

  place(article, seq) {
    const later = [...this.log.children].find((one) => Number(one.dataset.seq || (one.classList.contains("said") ? Infinity : 0)) > seq);
    this.log.insertBefore(article, later ?? null);
  }

  trouble(words, again) {
    const line = element("p", "trouble");
    const button = element("button", "", this.words.tryAgain);
    button.type = "button";
    button.addEventListener("click", again);
    line.append(element("span", "", words), button);
    return line;
  }

  showChips(message) {
    const chips = message.choices.map((choice) => submitter("choice", choice, choice));
    if (!chips.length && this.words.dates.includes(message.question_key) && message.act !== "close") {
      const date = element("input", "chip");
      Object.assign(date, { type: "date", id: "date" });
      date.setAttribute("form", "composer");
      date.setAttribute("aria-label", this.words.date);
      chips.push(date, submitter("pick", "date", this.words.useDate));
    }
    byId("chips").replaceChildren(...chips);
    byId("chips").hidden = !chips.length;
  }

  hideChips() {
    byId("chips").hidden = true;
    byId("chips").replaceChildren();
  }

  showProgress(progress) {
    if (!progress) return;
    const text = this.words.progress.replace("{answered}", progress.answered).replace("{total}", progress.total);
    if (byId("progress-words").textContent !== text) byId("progress-words").textContent = text;
    byId("progress").value = progress.percent;
    this.form.elements.question_key.value = progress.question_key ?? "";
  }

  announce(message) {
    byId("announcer").textContent = `${this.nameOf(message.author)}: ${message.text}`;
    if (!this.follows) byId("pill").hidden = false;
  }

  say(words, waits = false) {
    if (this.state.textContent !== words) this.state.textContent = words;
    this.state.classList.toggle("waits", waits);
  }

  // --- the composer -----------------------------------------------------------------------------

  typed() {
    store(this.draftKey, this.box.value);
    this.fitBox();
  }

  clearBox() {
    this.box.value = "";
    this.typed();
  }

  fitBox() {
    if (!CSS.supports("field-sizing", "content")) {
      this.box.rows = Math.min(8, this.box.value.split("\n").length);
      while (this.box.rows < 8 && this.box.scrollHeight > this.box.clientHeight) this.box.rows += 1;
    }
    const left = this.words.longest - this.box.value.length;
    const counter = byId("counter");
    counter.classList.toggle("over", left <= 0);
    counter.textContent = left > this.words.longest * 0.2 ? "" : this.words.counter.replace("{left}", Math.max(0, left));
    if (this.follows) this.scrollToEnd();
  }

  // The talk ends above the composer, however tall that is.
  makeRoom() {
    document.documentElement.style.setProperty("--composer", `${document.querySelector(".foot-bar").offsetHeight}px`);
    if (this.follows) this.scrollToEnd();
  }

  closeMenu() {
    const menu = byId("menu");
    if (!menu.open) return;
    menu.open = false;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  }

  // --- following --------------------------------------------------------------------------------

  scrolled() {
    const page = document.documentElement;
    this.follows = page.scrollHeight - innerHeight - scrollY < 96;
    if (this.follows) byId("pill").hidden = true;
  }

  settle() {
    if (this.follows) this.scrollToEnd();
    else if (this.replying?.said) byId("pill").hidden = false;
  }

  scrollToEnd() {
    this.follows = true;
    byId("pill").hidden = true;
    scrollTo(0, document.documentElement.scrollHeight);
  }

  async loadEarlier() {
    const first = this.log.querySelector(".said[data-seq]");
    const response = await fetch(`/chat/${this.words.conversation}/messages?before=${first.dataset.seq}`).catch(() => null);
    if (!response?.ok) return this.say(this.words.connecting, true);
    const { messages, has_earlier: hasEarlier } = await response.json();
    const before = document.documentElement.scrollHeight;
    this.follows = false;
    first.before(...messages.map((message) => this.article(message)));
    scrollBy(0, document.documentElement.scrollHeight - before);
    byId("earlier").hidden = !hasEarlier;
  }
}

// --- small things -----------------------------------------------------------------------------

function element(tag, kind, text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text) made.textContent = text;
  return made;
}

function clock(at) {
  return new Date(at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function submitter(name, value, text) {
  const button = element("button", "chip", text);
  Object.assign(button, { type: "submit", name, value, dir: "auto", formNoValidate: true });
  button.setAttribute("form", "composer");
  return button;
}

function wholeSentences(text) {
  const end = text.search(/[.!?…。！？؟](?=[^.!?…。！？؟]*$)/u);
  return end < 0 ? "" : text.slice(0, end + 1);
}

// crypto.randomUUID exists on secure origins only.
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Storage is refused in some private windows; the page works without.
function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // nothing to do: the draft lives as long as the page
  }
}

const log = byId("talk");
if (log) new Chat(log).start();
const done = byId("done");
if (done?.dataset.pdf === "working") waitForPdf(done);
