// A talk as pages outside the interview show it: colours, the composer, and the reply as it is written.

export const byId = (id) => document.getElementById(id);
export const words = JSON.parse(byId("words")?.textContent ?? "{}");
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");

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
// whether there is anything to send. Returns what a page needs to add its own.
export function converse(form, { opening, onAccepted, isWorthSending }) {
  const [log, box, state, counter, announcer] = ["talk", "text", "state", "counter", "announcer"].map(byId);
  const hasKeyboard = matchMedia("(pointer: fine)").matches;
  let sending = false;

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

  const waiting = (agent) => {
    const article = document.createElement("article");
    article.className = "said persona";
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
      turn.failed?.remove();
      if (!turn.isRetry) log.append(parts(frame.html));
      turn.article = waiting(frame.agent);
      onAccepted(frame, turn);
      fit();
      say(words.writing);
      follow(true);
    },
    delta: ({ text }) => {
      const was = isAtEnd();
      turn.article.querySelector(".words").append(text);
      follow(was);
    },
    done: ({ html }) => {
      const was = isAtEnd();
      turn.isDone = true;
      turn.article.replaceWith(parts(html));
      say("");
      announcer.textContent = log.lastElementChild?.querySelector(".words")?.textContent ?? words.answered;
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

  const send = async (fields, turn) => {
    if (sending) return;
    sending = true;
    say(opening);
    try {
      const response = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/event-stream" } });
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).message || words.failed);
      await read(response.body, handlersOf(turn));
      if (!turn.isDone) throw new Error(words.failed);
    } catch (error) {
      turn.article?.remove();
      say(error instanceof TypeError ? (navigator.onLine ? words.failed : words.offline) : error.message, true);
    }
    sending = false;
  };

  const fit = () => {
    const length = box.value.length;
    counter.textContent = length > words.longest * 0.8 ? `${length} / ${words.longest}` : "";
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 260)}px`;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isWorthSending()) send(new FormData(form), {});
    else box.focus();
  });
  box.addEventListener("input", fit);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !hasKeyboard) return;
    event.preventDefault();
    form.requestSubmit(byId("send"));
  });
  fit();
  if (hasKeyboard) box.focus({ preventScroll: true });

  const again = (failed) => send(new FormData(failed), { isRetry: true, failed: failed.closest("article") });
  return { log, box, say, again };
}
