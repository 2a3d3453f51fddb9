// The assistant page: the reply as it is written. Without this module the form posts and the page comes back whole.
import { byId, converse, newId, words } from "./conversing.js";

const form = byId("composer");
if (form) begin();

function begin() {
  const beingWritten = document.querySelector(".being-written");
  beingWritten?.addEventListener("submit", () => say(words.stopped));

  const onAccepted = ({ conversation, address, stop, reply }, turn) => {
    beingWritten?.remove();
    Object.assign(form.dataset, { stop, reply });
    form.elements.conversation.value = conversation;
    form.elements.client_message_id.value = newId();
    form.querySelector(".choices-row")?.remove();
    document.querySelector(".welcome")?.remove();
    if (location.pathname !== address) history.pushState(null, "", address);
    if (!turn.isRetry) byId("text").value = "";
  };
  const isWorthSending = () => Boolean(byId("text").value.trim());
  const { log, say, again, listen } = converse(form, { opening: words.choosing, onAccepted, isWorthSending });

  const rate = async (rating, button) => {
    const body = new FormData(rating, button);
    const response = await fetch(rating.action, { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
    if (!response?.ok) return say(words.failed, true);
    for (const one of rating.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
    say(words.thanks);
  };

  log.addEventListener("submit", (event) => {
    const sent = event.target;
    event.preventDefault();
    if (sent.matches("[data-rating]")) rate(sent, event.submitter);
    else again(sent);
  });

  // A source is in a closed list: its mark opens it.
  log.addEventListener("click", (event) => {
    const mark = event.target.closest("a.mark");
    const note = mark && byId(mark.hash.slice(1));
    if (note) note.closest("details").open = true;
  });

  // What is written meanwhile: when the page is opened, and when somebody comes back to its tab.
  if (beingWritten) listen(beingWritten.dataset.asked);
  document.addEventListener("visibilitychange", () => document.hidden || listen());

  addEventListener("popstate", () => location.reload());
}
