// A page of persona chat: the reply as it is written, files, voice notes, edits. Without this module the forms post and the page comes back whole.
import { byId, converse, hasKeyboard, newId, words } from "./conversing.js";
import { canRecord, record } from "./recording.js";

document.documentElement.classList.add("scripted");
closesItself(byId("menu"));
const form = byId("composer");
if (form) begin();

// A menu that is left, or from which Escape leads away, is closed.
function closesItself(menu) {
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

function begin() {
  const files = attachments(() => say(""));
  const edit = { isOn: false };
  const beingWritten = document.querySelector(".being-written");
  beingWritten?.addEventListener("submit", () => say(words.stopped));

  const empty = () => {
    form.elements.client_message_id.value = newId();
    form.querySelector("[data-suggestions]")?.remove();
    byId("delete-link").hidden = false;
    box.value = "";
    files.clear();
  };

  const { log, box, say, again, fit, listen } = converse(form, {
    opening: words.sending,
    onAccepted: (_frame, turn) => {
      // Only what was said last can be said anew.
      for (const one of log.querySelectorAll("[data-edit], .tools [data-again]")) one.remove();
      beingWritten?.remove();
      document.querySelector("[data-greetings]")?.remove();
      if (turn.isEdit) endEdit();
      else if (!turn.isRetry) empty();
    },
    isWorthSending: () => edit.isOn || Boolean(box.value.trim() || files.isChosen()),
    request: () => (edit.isOn ? { turn: { isEdit: true, isRetry: true }, action: form.dataset.reword } : {}),
  });
  voiceNotes(files, say);

  // --- what can be done with a message --------------------------------------------------------

  log.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-again]")) return;
    event.preventDefault();
    event.target.closest("article").focus({ preventScroll: true });
    again(event.target, event.target.action);
  });

  log.addEventListener("click", (event) => {
    const copied = event.target.closest("[data-copy]");
    if (copied) copy(copied.closest("article").querySelector(".words").textContent);
    const edited = event.target.closest("[data-edit]");
    if (!edited || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    beginEdit(edited);
  });

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Not a secure address, or not allowed: the old way.
      const helper = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
      const before = document.activeElement;
      document.body.append(helper);
      helper.select();
      document.execCommand("copy");
      helper.remove();
      before?.focus({ preventScroll: true });
    }
    say(words.copied);
  };

  // --- editing in the composer ----------------------------------------------------------------

  const beginEdit = (link) => {
    if (!edit.isOn) edit.draft = box.value;
    edit.isOn = true;
    edit.link = link;
    form.elements.seq.value = link.closest("article").dataset.seq;
    box.value = link.closest("article").querySelector(".words")?.textContent ?? "";
    show(true);
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
    say(words.editing);
  };

  const endEdit = () => {
    edit.isOn = false;
    box.value = edit.draft ?? "";
    show(false);
    fit();
    if (!hasKeyboard && document.activeElement === box) box.blur();
  };

  const show = (isOn) => {
    byId("editing").hidden = !isOn;
    byId("attach").hidden = isOn;
    if (isOn) files.clear();
    fit();
  };

  const cancelEdit = () => {
    const { link } = edit;
    endEdit();
    say(words.notEdited);
    link.focus();
  };

  byId("unedit").addEventListener("click", cancelEdit);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && edit.isOn) cancelEdit();
  });

  // --- beginning -------------------------------------------------------------------------------

  if (beingWritten) listen(beingWritten.dataset.asked);
  document.addEventListener("visibilitychange", () => document.hidden || listen());

  const suggestions = form.querySelector("[data-suggestions]");
  if (suggestions) {
    suggestions.hidden = false;
    suggestions.addEventListener("click", (event) => {
      if (!event.target.matches("button")) return;
      box.value = event.target.textContent;
      form.requestSubmit(byId("send"));
    });
  }
}

// One picture or one recording, shown before it is sent.
function attachments(changed) {
  const [picture, recording, picked, preview, listen, name, unpick] =
    ["picture", "recording", "picked", "preview", "listen", "picked-name", "unpick"].map(byId);
  let address = "";

  const show = () => {
    const file = picture.files[0] ?? recording.files[0];
    if (address) URL.revokeObjectURL(address);
    address = file ? URL.createObjectURL(file) : "";
    for (const [shown, isThis] of [[preview, picture.files[0]], [listen, recording.files[0]]]) {
      shown.hidden = !isThis;
      if (isThis) shown.src = address;
      else shown.removeAttribute("src");
    }
    name.textContent = file?.name ?? "";
    picked.hidden = !file;
  };

  const choose = (input, other) => {
    if (input.files.length) other.value = "";
    show();
    changed();
  };

  const clear = () => {
    picture.value = recording.value = "";
    show();
  };

  picture.addEventListener("change", () => choose(picture, recording));
  recording.addEventListener("change", () => choose(recording, picture));
  unpick.addEventListener("click", () => {
    const from = picture.files.length ? picture : recording;
    clear();
    from.focus();
  });

  const take = (file) => {
    const held = new DataTransfer();
    held.items.add(file);
    recording.files = held.files;
    choose(recording, picture);
  };

  return { clear, take, isChosen: () => Boolean(picture.files.length || recording.files.length) };
}

// Recording in the page, with its time and a way out.
function voiceNotes(files, say) {
  const [button, panel, clock, keep, drop] = ["record", "recorder", "clock", "keep", "drop"].map(byId);
  let running = null;
  let timer = 0;

  const end = () => {
    clearInterval(timer);
    panel.hidden = true;
    byId("attach").hidden = false;
    running = null;
  };

  const tick = (since) => {
    const seconds = Math.floor((performance.now() - since) / 1000);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds >= words.mostSeconds - 1) kept();
  };

  const kept = async () => {
    const note = running;
    if (!note) return;
    end();
    try {
      files.take(await note.keep());
      say(words.recorded);
      byId("unpick").focus();
    } catch {
      say(words.notRecorded, true);
      button.focus();
    }
  };

  const dropped = async () => {
    const note = running;
    if (!note) return;
    end();
    await note.drop();
    say(words.notRecorded);
    button.focus();
  };

  button.hidden = !canRecord();
  button.addEventListener("click", async () => {
    try {
      running = await record();
    } catch {
      return say(words.noMicrophone, true);
    }
    files.clear();
    byId("attach").hidden = true;
    panel.hidden = false;
    const since = performance.now();
    tick(since);
    timer = setInterval(() => tick(since), 250);
    keep.focus();
    return say(words.recording);
  });
  keep.addEventListener("click", kept);
  drop.addEventListener("click", dropped);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && dropped());
}
