// What a job's processes wrote: the last lines, and each new one as it is written.

import { button, fill, h, say, select } from "./dom.js";
import { guarded } from "./feedback.js";
import { path } from "./api.js";
import { follow } from "./stream.js";

const LINES = 500;
const MOST_CHARACTERS = 4_000_000;

export default function logs({ job, query, signal }) {
  const text = h("pre", { class: "log", tabindex: 0, role: "region", "aria-label": "What was written" });
  const note = h("p", { class: "small quiet" });
  const trouble = h("div");
  let attempt = Number(query.get("attempt")) || job.attempt;
  let newest = job.attempt;
  let lines = LINES;
  let reading = new AbortController();
  const attempts = h("span", { class: "row" });
  const stream = select([["stderr", "stderr"], ["stdout", "stdout"]], query.get("stream") ?? "stderr", () => read());
  stream.setAttribute("aria-label", "Stream");
  const more = button("Earlier lines", () => ((lines *= 10), read()), { class: "button slim", hidden: true });
  const element = h("div", { class: "card stack" }, h("div", { class: "row apart" }, h("div", { class: "row" }, h("h2", {}, "Logs"), attempts, stream), more), trouble, text, note);
  signal.addEventListener("abort", () => reading.abort());

  function choices() {
    const all = Array.from({ length: newest }, (_, index) => [String(index + 1), `attempt ${index + 1}`]).reverse();
    const chosen = select(all, String(attempt), () => ((attempt = Number(chosen.value)), read()));
    chosen.setAttribute("aria-label", "Attempt");
    fill(attempts, all.length > 0 && chosen);
  }

  /** Follow the chosen stream of the chosen attempt, in the place of what was followed before. */
  async function read() {
    reading.abort();
    reading = new AbortController();
    const mine = reading.signal;
    const written = appender(text, mine);
    more.hidden = true;
    fill(text);
    fill(trouble);
    if (!attempt) return say(note, "No worker has begun with it yet.");
    say(note, "Followed live.");
    const heard = ({ event, data }) => {
      if (event === "lines") {
        // The first message says how much of the file lies before it.
        if (written.empty()) more.hidden = data.offset === 0;
        written.add(data.text);
      } else if (event === "end") say(note, written.empty() ? `Nothing was written to ${stream.value}.` : `To its end: attempt ${data.attempt} is over.`);
    };
    const broken = (on) => say(note, on ? "Followed live." : "The live stream broke off; it is being taken up again.");
    const url = path(`/v1/jobs/${job.id}/logs`, { attempt, stream: stream.value, tail: lines });
    return guarded(trouble, () => follow(url, heard, mine, broken), { title: "The log could not be read", again: read });
  }

  choices();
  read();
  return {
    element,
    update(now) {
      if (now.attempt === newest) return;
      // A new attempt takes the place of the one before, unless somebody reads an older one.
      const follows = attempt === newest;
      newest = now.attempt;
      if (follows) attempt = newest;
      choices();
      if (follows) read();
    },
  };
}

/** Adds text to the end of `element`, once a frame however much comes, and lets go of the oldest beyond a bound. */
function appender(element, signal) {
  let waiting = "";
  let length = 0;
  let any = false;

  function show() {
    if (signal.aborted) return;
    // Who reads further up is not torn to the end.
    const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 24;
    element.append(waiting);
    length += waiting.length;
    waiting = "";
    while (length > MOST_CHARACTERS && element.childNodes.length > 1) {
      length -= element.firstChild.length;
      element.firstChild.remove();
    }
    if (atEnd) element.scrollTop = element.scrollHeight;
  }

  return {
    empty: () => !any,
    add(text) {
      any = true;
      if (!waiting) requestAnimationFrame(show);
      waiting += text;
    },
  };
}
