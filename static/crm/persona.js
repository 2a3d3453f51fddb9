// A page of persona chat: the reply as it is written. Without this module the form posts and the page comes back whole.
import { byId, converse, newId, words } from "./conversing.js";

const form = byId("composer");
if (form) begin();

function begin() {
  const [picture, picked, unpick] = ["picture", "picked", "unpick"].map(byId);

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
  };

  const { log, box, again } = converse(form, {
    opening: words.sending,
    onAccepted: (_frame, turn) => turn.isRetry || empty(),
    isWorthSending: () => Boolean(box.value.trim() || picture.files.length),
  });

  log.addEventListener("submit", (event) => {
    event.preventDefault();
    again(event.target);
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
}
