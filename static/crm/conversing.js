// A talk as pages outside the interview show it: colours, the composer, and the reply as it is written.

export const byId = (id) => document.getElementById(id);
export const words = JSON.parse(byId("words")?.textContent ?? "{}");
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
export const hasKeyboard = matchMedia("(pointer: fine)").matches;

const MOST_TRIES = 4;
const PAUSE = 1500; // milliseconds before a broken connection is tried again; then twice as long each time

function switchColours() {
  const { dataset } = document.documentElement;
  const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = dark ? "light" : "dark";
  const secure = location.protocol === "https:" ? ";secure" : "";
  document.cookie = `rapport_theme=${dataset.theme};path=/;max-age=31536000;samesite=lax${secure}`;
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  button.hidden = false;
  button.addEventListener("click", switchColours);
}

// `opening` is said while a message is on its way; `onAccepted(frame, turn)` once it is stored; `isWorthSending()`
// whether there is anything to send. `request()` may say where the composer is sent and with which turn. Returns what
// a page needs to add its own. A turn is one thing asked for, until its reply is whole.
export function converse(form, { opening, onAccepted, isWorthSending, request = () => ({}) }) {
  const [log, box, state, counter, announcer, halt] = ["talk", "text", "state", "counter", "announcer", "halt"].map(byId);
  let sending = null; // the turn that is under way

  // Our own server's HTML, escaped there: the same parts the page was made of.
  const parts = (html) => document.createRange().createContextualFragment(html);

  const say = (text, isTrouble = false) => {
    state.textContent = text;
    state.classList.toggle("over", isTrouble);
  };

  // The end of the talk is where the composer begins, which sticks to the bottom of the window.
  const isAtEnd = () => byId("latest").getBoundingClientRect().bottom <= form.getBoundingClientRect().top + 120;

  const follow = (was) => {
    if (was) form.scrollIntoView({ block: "end" });
    const hidden = byId("latest").getBoundingClientRect().bottom - form.getBoundingClientRect().top;
    if (was && hidden > 0) scrollBy(0, hidden);
  };

  // The new in the place of the old, with the focus where it was.
  const swap = (old, html) => {
    const hadFocus = old.contains(document.activeElement);
    const made = parts(html);
    const first = made.firstElementChild;
    old.replaceWith(made);
    if (hadFocus) first?.focus({ preventScroll: true });
    return first;
  };

  // A person's message; one that is there already changes in its place, and what answered it is old.
  const place = (html) => {
    const made = parts(html).firstElementChild;
    const known = made && byId(made.id);
    const hadFocus = Boolean(known?.contains(document.activeElement));
    if (!made) return null;
    if (known) known.replaceWith(made);
    else log.append(made);
    const isOld = (one) => one && !one.classList.contains("person");
    while (isOld(made.nextElementSibling)) made.nextElementSibling.remove();
    if (hadFocus) made.focus({ preventScroll: true });
    return made;
  };

  const waiting = (agent) => {
    const article = document.createElement("article");
    article.className = "said persona";
    article.tabIndex = -1;
    const text = document.createElement("div");
    text.className = "words caret";
    text.dir = "auto";
    if (agent) {
      const name = document.createElement("p");
      name.className = "agent";
      name.textContent = agent;
      article.append(name);
    }
    article.append(text);
    log.append(article);
    return article;
  };

  const handlersOf = (turn) => ({
    accepted: (frame) => {
      const was = isAtEnd();
      const held = document.activeElement?.closest("article");
      turn.asked = place(frame.html)?.dataset.seq;
      turn.article = waiting(frame.agent);
      // Who stood on the answer that is replaced stands on the new one.
      if (held && !held.isConnected && document.activeElement === document.body) turn.article.focus({ preventScroll: true });
      keepDraft("");
      onAccepted(frame, turn);
      fit();
      keepDraft();
      say(words.writing);
      showHalt(true);
      follow(!turn.isHeard || was);
    },
    delta: ({ text }) => {
      const was = isAtEnd();
      turn.article.querySelector(".words").append(text);
      follow(was);
    },
    done: ({ html, asked, trouble, stopped }) => {
      const was = isAtEnd();
      turn.isDone = true;
      const said = swap(turn.article, html);
      const about = asked && byId(parts(asked).firstElementChild?.id);
      if (about) swap(about, asked);
      say(trouble ?? "", Boolean(trouble));
      const answer = said?.querySelector(".words")?.textContent ?? words.answered;
      announcer.textContent = stopped ? `${words.stopped} ${answer}` : answer;
      if (turn.takesFocus) (hasKeyboard ? box : said)?.focus({ preventScroll: true });
      follow(was);
    },
  });

  const handle = (frame, handlers) => {
    const lines = frame.split("\n");
    const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
    const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
    if (name && data) handlers[name]?.(JSON.parse(data));
  };

  const read = async (body, handlers) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const frames = (text + value).split("\n\n");
      text = frames.pop();
      for (const frame of frames) handle(frame, handlers);
    }
  };

  // Whether all went well.
  const receive = async (turn, ask) => {
    if (sending) return false;
    sending = turn;
    log.setAttribute("aria-busy", "true");
    try {
      const response = await ask();
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).message || words.failed);
      await read(response.body, handlersOf(turn));
      if (!turn.isDone) throw new Error(words.failed);
    } catch (error) {
      turn.article?.remove();
      say(error instanceof TypeError ? (navigator.onLine ? words.failed : words.offline) : error.message, true);
    }
    sending = null;
    log.setAttribute("aria-busy", "false");
    showHalt(false);
    if (!turn.isDone && turn.asked) listenAgain(turn);
    return Boolean(turn.isDone);
  };

  const headers = { Accept: "text/event-stream" };

  const send = (fields, turn, action = form.action) =>
    receive(turn, () => {
      say(opening);
      return fetch(action, { method: "POST", body: fields, headers });
    });

  // A reply that this page did not ask for, or whose connection broke: the one to `asked`, else the one written now.
  const listen = async (asked, turn = {}) => {
    if (sending || !form.dataset.reply) return;
    const address = asked ? `${form.dataset.reply}?asked=${asked}` : form.dataset.reply;
    const response = await fetch(address, { headers }).catch(() => null);
    if (response?.status !== 200 || sending) await response?.body?.cancel();
    else await receive({ ...turn, isHeard: true, isRetry: true }, () => response);
  };

  const listenAgain = ({ asked, tries = 0 }) => {
    if (tries < MOST_TRIES) setTimeout(() => listen(asked, { asked, tries: tries + 1 }), PAUSE * 2 ** tries);
  };

  // --- stopping ---------------------------------------------------------------------------------

  const showHalt = (isShown) => {
    if (!halt) return;
    if (!isShown && document.activeElement === halt) box.focus({ preventScroll: true });
    halt.hidden = !isShown;
    byId("send").hidden = isShown;
  };

  const stop = async () => {
    if (!sending) return;
    sending.takesFocus = true;
    const fields = new FormData();
    fields.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    const answer = await fetch(form.dataset.stop, { method: "POST", body: fields, headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) say(words.failed, true);
  };

  // --- the composer -----------------------------------------------------------------------------

  const fit = () => {
    const length = box.value.length;
    counter.textContent = length > words.longest * 0.8 ? `${length} / ${words.longest}` : "";
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 260)}px`;
  };

  // What was written survives a reload of this tab, and nothing longer: others may use the same browser.
  // Old words that are being edited are no draft. Storage is refused in some private windows.
  const draftKey = () => `rapport:${location.pathname}:draft`; // the first message gives a talk its address

  const keepDraft = (text = box.value) => {
    if (byId("editing")?.hidden === false) return;
    try {
      sessionStorage.setItem(draftKey(), text);
    } catch {}
  };

  const draft = () => {
    try {
      return sessionStorage.getItem(draftKey()) ?? "";
    } catch {
      return "";
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { turn = {}, action } = request();
    if (isWorthSending()) send(new FormData(form), turn, action);
    else box.focus();
  });
  halt?.addEventListener("click", stop);
  box.addEventListener("input", () => {
    fit();
    keepDraft();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !hasKeyboard) return;
    event.preventDefault();
    form.requestSubmit(byId("send"));
  });
  box.value ||= draft();
  fit();
  if (hasKeyboard) box.focus({ preventScroll: true });

  // A form of the talk itself: to be answered once more.
  const again = (asked, action) => send(new FormData(asked), { isRetry: true }, action);
  return { log, box, say, again, fit, listen };
}
