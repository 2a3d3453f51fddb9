// The Ask page: the answer as it is written. Without this module the form posts and the page comes back whole.

const form = document.getElementById("ask-form");

if (form) {
  const part = (name) => document.getElementById(`ask-${name}`);
  const [result, answer, status, sources, problem, stop, rating] = [
    "result", "answer", "status", "sources", "problem", "stop", "rating",
  ].map(part);
  let asking = null;

  const show = (element, text) => {
    element.textContent = text;
    element.hidden = !text;
  };

  const begin = () => {
    show(problem, "");
    answer.textContent = "";
    sources.replaceChildren();
    rating.hidden = true;
    result.hidden = false;
    result.setAttribute("aria-busy", "true");
    status.textContent = form.dataset.writing;
    stop.hidden = false;
  };

  const end = () => {
    asking = null;
    stop.hidden = true;
    status.textContent = "";
    result.removeAttribute("aria-busy");
  };

  const mark = (cited) => {
    const link = document.createElement("a");
    link.className = "knowledge-mark";
    link.href = `#source-${cited.number}`;
    link.textContent = `[${cited.number}]`;
    link.title = cited.document;
    return link;
  };

  const marked = (text, citations) => {
    const byNumber = new Map(citations.map((cited) => [String(cited.number), cited]));
    return text.split(/(\[\d+\])/).map((piece) => {
      const cited = byNumber.get(piece.slice(1, -1));
      return cited && piece.startsWith("[") ? mark(cited) : document.createTextNode(piece);
    });
  };

  const note = (cited) => {
    const item = document.createElement("li");
    item.id = `source-${cited.number}`;
    item.value = cited.number;
    const link = document.createElement("a");
    // Only our own pages: a path of this site.
    link.href = cited.url.startsWith("/") && !cited.url.startsWith("//") ? cited.url : "#";
    link.textContent = [cited.document, cited.place].filter(Boolean).join(", ");
    const quote = document.createElement("blockquote");
    quote.dir = "auto";
    quote.textContent = cited.text;
    item.append(link, quote);
    return item;
  };

  const handlers = {
    delta: ({ text }) => {
      status.textContent = "";
      answer.append(text);
    },
    citations: ({ citations }) => sources.replaceChildren(...citations.map(note)),
    done: (data) => {
      answer.replaceChildren(...marked(data.answer, data.citations));
      rating.action = rating.dataset.path.replace("00000000-0000-0000-0000-000000000000", data.question_id);
      rating.hidden = false;
    },
    failed: ({ message }) => show(problem, message),
  };

  const handle = (frame) => {
    const lines = frame.split("\n");
    const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
    const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
    if (name && data) handlers[name]?.(JSON.parse(data));
    return name === "done" || name === "failed";
  };

  const read = async (body) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let ended = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return ended;
      const frames = (text + value).split("\n\n");
      text = frames.pop();
      for (const frame of frames) ended = handle(frame) || ended;
    }
  };

  const ask = async () => {
    const response = await fetch(form.dataset.stream, {
      method: "POST", body: new FormData(form), signal: asking.signal, headers: { Accept: "text/event-stream" },
    });
    if (!response.ok) {
      const { message } = await response.json().catch(() => ({}));
      throw new Error(message || form.dataset.failed);
    }
    if (!(await read(response.body))) throw new Error(form.dataset.failed);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    asking?.abort();
    asking = new AbortController();
    begin();
    try {
      await ask();
    } catch (error) {
      if (error.name !== "AbortError") show(problem, error instanceof TypeError ? form.dataset.failed : error.message);
    }
    end();
  });

  stop.addEventListener("click", () => asking?.abort());

  rating.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new FormData(rating, event.submitter);
    const response = await fetch(rating.action, { method: "POST", body });
    status.textContent = response.ok ? rating.dataset.thanks : form.dataset.failed;
    rating.hidden = response.ok;
  });

  if (!answer.textContent.trim()) rating.hidden = true;
}
