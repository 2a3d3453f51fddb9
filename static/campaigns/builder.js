// Shows the campaign's email as the form stands, saved or not, as one of its people would read it.

const WAIT = 300; // milliseconds after the last change
const FIELDS = ["template", "guide", "smtp_server"];

const panel = document.querySelector("[data-preview]");
const chooser = panel.querySelector("form");
const form = document.querySelector("#campaign_form");
const part = (name) => panel.querySelector(`[data-part=${name}]`);
let asked = 0;
let timer;

function query() {
  const values = new URLSearchParams(new FormData(chooser));
  for (const name of FIELDS) {
    const field = form?.elements.namedItem(name);
    if (field instanceof HTMLElement) values.set(name, field.value);
  }
  return values;
}

function show(said) {
  part("problem").textContent = said.problem;
  part("email").hidden = Boolean(said.problem);
  if (said.problem) return;
  part("subject").textContent = said.subject;
  part("text").textContent = said.text;
  if (part("html").srcdoc !== said.html) part("html").srcdoc = said.html;
}

async function refresh() {
  const mine = ++asked;
  try {
    const response = await fetch(`${panel.dataset.preview}?${query()}`, { headers: { Accept: "application/json" } });
    // An answer that was overtaken by a later question shows an email that is no longer meant.
    if (response.ok && mine === asked) show(await response.json());
  } catch {
    // Offline: the last preview stays.
  }
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(refresh, WAIT);
}

chooser.addEventListener("input", later);
form?.addEventListener("change", later);
// The search fields of the admin tell their changes only through its own jQuery.
window.django?.jQuery?.(form).on("change", later);
refresh();
