// What a job's processes wrote, to the last line while it runs.

import { get, path } from "./api.js";
import { button, fill, h, say, select } from "./dom.js";
import { guarded } from "./feedback.js";
import { count } from "./format.js";
import { ended } from "./job_parts.js";
import { pause } from "./stream.js";

const LOOK_MS = 1_500;
const LINES = 500;

export default function logs({ job, query, signal }) {
  const text = h("pre", { class: "log", tabindex: 0, role: "region", "aria-label": "What was written" });
  const note = h("p", { class: "small quiet" });
  const trouble = h("div");
  let attempt = Number(query.get("attempt")) || job.attempt;
  let lines = LINES;
  let now = job;
  const attempts = h("span", { class: "row" });
  const stream = select([["stderr", "stderr"], ["stdout", "stdout"]], query.get("stream") ?? "stderr", () => look());
  stream.setAttribute("aria-label", "Stream");
  const more = button("Earlier lines", () => ((lines *= 10), look()), { class: "button slim", hidden: true });
  const element = h("div", { class: "card stack" }, h("div", { class: "row apart" }, h("div", { class: "row" }, h("h2", {}, "Logs"), attempts, stream), more), trouble, text, note);

  function choices() {
    if (attempts.dataset.shown === `${now.attempt}`) return;
    attempts.dataset.shown = `${now.attempt}`;
    const all = Array.from({ length: now.attempt }, (_, index) => [String(index + 1), `attempt ${index + 1}`]).reverse();
    const chosen = select(all, String(attempt), () => ((attempt = Number(chosen.value)), look()));
    chosen.setAttribute("aria-label", "Attempt");
    fill(attempts, all.length > 0 && chosen);
  }

  async function look() {
    choices();
    if (!attempt) {
      say(text, "");
      say(note, "No worker has begun with it yet.");
      return;
    }
    await guarded(trouble, async () => {
      const log = await get(path(`/v1/jobs/${job.id}/logs`, { attempt, stream: stream.value, tail: lines }), { signal });
      // Who reads further up is not torn to the end.
      const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 24;
      say(text, log.lines.join("\n"));
      if (atEnd) text.scrollTop = text.scrollHeight;
      more.hidden = !log.truncated;
      say(note, log.lines.length ? `The last ${count(log.lines.length)} ${log.lines.length === 1 ? "line" : "lines"}${ended(now) ? "." : ", followed live."}` : `Nothing was written to ${stream.value}.`);
      fill(trouble);
    }, { title: "The log could not be read" });
  }

  async function tail() {
    await look();
    while (!signal.aborted) {
      await pause(LOOK_MS, signal);
      if (!signal.aborted && !document.hidden && !ended(now) && attempt === now.attempt) await look();
    }
  }

  tail();
  return {
    element,
    update(job) {
      // A new attempt takes the place of the one before, unless somebody reads an older one.
      if (job.attempt > now.attempt && attempt === now.attempt) attempt = job.attempt;
      const over = ended(job) && !ended(now);
      now = job;
      choices();
      if (over) look();
    },
  };
}
