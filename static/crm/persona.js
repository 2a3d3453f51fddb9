// A page of persona chat: the reply as it is written. Without this module the form posts and the page comes back whole.

const byId = (id) => document.getElementById(id);
const words = JSON.parse(byId("words")?.textContent ?? "{}");

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

const form = byId("composer");
if (form) begin();

function begin() {
  const [log, box, state, counter, announcer] = ["talk", "text", "state", "counter", "announcer"].map(byId);
  const [picture, picked, unpick] = ["picture", "picked", "unpick"].map(byId);
  const hasKeyboard = matchMedia("(pointer: fine)").matches;
  let sending = false;

  const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");

  // Our own server's HTML, escaped there: the same parts the page was made of.
  const parts = (html) => document.createRange().createContextualFragment(html);

  const say = (text, isTrouble = false) => {
    state.textContent = text;
    state.classList.toggle("over", isTrouble);
  };

  // The end of the talk is where the composer begins, which sticks to the bottom of the window.
  const isAtEnd = () => byId("latest").getBoundingClientRect().bottom <= form.getBoundingClientRect().top + 120;

  const follow = (was) => {
    const hidden = byId("latest").getBoundingClientRect().bottom - form.getBoundingClientRect().top;
    if (was && hidden > 0) scrollBy(0, hidden);
  };

  const waiting = () => {
    const article = document.createElement("article");
    article.className = "said persona";
    const text = document.createElement("div");
    text.className = "words caret";
    text.dir = "auto";
    article.append(text);
    log.append(article);
    return article;
  };

  const showPicked = () => {
    const file = picture.files[0];
    picked.hidden = !file;
    picked.firstElementChild.textContent = file ? file.name : "";
  };

  const empty = () => {
    form.elements.client_message_id.value = newId();
    form.querySelector("[data-suggestions]")?.remove();
    box.value = "";
    picture.value = "";
    showPicked();
    fit();
  };

  const handlersOf = (turn) => ({
    accepted: ({ html }) => {
      turn.failed?.remove();
      if (!turn.isRetry) {
        log.append(parts(html));
        empty();
      }
      turn.article = waiting();
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
    say(words.sending);
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
    if (box.value.trim() || picture.files.length) send(new FormData(form), {});
    else box.focus();
  });

  log.addEventListener("submit", (event) => {
    event.preventDefault();
    send(new FormData(event.target), { isRetry: true, failed: event.target.closest("article") });
  });

  const suggestions = form.querySelector("[data-suggestions]");
  if (suggestions) {
    suggestions.hidden = false;
    suggestions.addEventListener("click", (event) => {
      if (!event.target.matches("button")) return;
      box.value = event.target.textContent;
      form.requestSubmit(byId("send"));
    });
  }

  picture.addEventListener("change", showPicked);
  unpick.addEventListener("click", () => {
    picture.value = "";
    showPicked();
  });
  box.addEventListener("input", fit);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !hasKeyboard) return;
    event.preventDefault();
    form.requestSubmit(byId("send"));
  });
  fit();
  if (hasKeyboard) box.focus({ preventScroll: true });
}
