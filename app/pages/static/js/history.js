// How long each phase took, the attempts, and every event.

import { get, path } from "./api.js";
import { fill, h } from "./dom.js";
import { guarded } from "./feedback.js";
import { brief, bytes, clock, duration, moment, words } from "./format.js";
import { colour } from "./plotly.js";
import { facts, table } from "./table.js";

const PHASES = [["queued_s", "queued", 7], ["starting_s", "starting", 4], ["training_s", "training", 0]];
const TOLD_ELSEWHERE = new Set(["seq", "time", "attempt", "type", "job", "sha256", "size"]);
const SHOWN = 1_000;

export default function history({ job, signal }) {
  const phases = h("div");
  const attempts = h("div", { class: "card flush" });
  const events = h("div", { class: "card flush" });
  const element = h("div", { class: "stack" }, phases, h("section", { class: "stack" }, h("h2", {}, "Attempts"), attempts), h("section", { class: "stack" }, h("h2", {}, "Events"), events));
  document.addEventListener("themechange", () => update(job), { signal });

  async function look() {
    await guarded(attempts, async () => {
      const { items } = await get(`/v1/jobs/${job.id}/attempts`, { signal });
      fill(attempts, items.length ? attemptTable(items, job) : h("p", { class: "empty" }, "No worker has begun with it yet."));
    });
    await guarded(events, async () => {
      const found = await everything(job.id, signal);
      fill(events, eventTable(found.reverse()));
    });
  }

  function update(now) {
    job = now;
    fill(phases, h("section", { class: "card stack" }, h("h2", {}, "Where the time went"), bars(now.timings), facts([
      ...PHASES.map(([key, name, number]) => [name, h("span", { class: "choice" }, h("span", { class: "swatch", style: { "--colour": colour(number) } }), duration(now.timings[key]))]),
      ["first minibatch", now.first_minibatch_at && clock(now.first_minibatch_at)],
      ["ended", now.finished_at && clock(now.finished_at)],
    ]), now.worker && h("p", { class: "small quiet" }, `On ${now.worker}`)));
  }

  update(job);
  look();
  return { element, look, update };
}

/** Every event of a job, oldest first, up to a number that a page can bear. */
async function everything(id, signal) {
  const found = [];
  for (let after = 0; found.length < SHOWN; ) {
    const page = await get(path(`/v1/jobs/${id}/events`, { after, limit: 1000 }), { signal });
    found.push(...page.items);
    if (!page.next_page_token) break;
    after = page.items.at(-1).seq;
  }
  return found;
}

function bars(timings) {
  const total = PHASES.reduce((sum, [key]) => sum + timings[key], 0) || 1;
  return h(
    "div",
    { class: "phases", role: "img", "aria-label": PHASES.map(([key, name]) => `${name} ${duration(timings[key])}`).join(", ") },
    PHASES.filter(([key]) => timings[key] > 0).map(([key, name, number]) => h("span", { style: { flex: `${timings[key] / total} 0 0`, "--colour": colour(number) }, title: `${name} ${duration(timings[key])}` })),
  );
}

function attemptTable(items, job) {
  return table(
    "Attempts",
    [
      ["Attempt", (one) => String(one.attempt)],
      ["Outcome", (one) => [one.outcome ?? "running", one.reason && ` · ${words(one.reason)}`, one.detail && h("p", { class: "small quiet" }, one.detail)]],
      ["Began", (one) => h("time", { datetime: one.started_at, title: moment(one.started_at) }, clock(one.started_at))],
      ["Took", (one) => (one.ended_at ? duration((Date.parse(one.ended_at) - Date.parse(one.started_at)) / 1000) : "–")],
      ["Log", (one) => h("a", { href: `#/jobs/${job.id}/logs?attempt=${one.attempt}`, "aria-label": `Log of attempt ${one.attempt}` }, bytes(one.stderr_bytes + one.stdout_bytes))],
    ],
    items,
  );
}

function eventTable(items) {
  return table(
    "Events, newest first",
    [
      ["Time", (one) => h("time", { datetime: one.time, title: moment(one.time), class: "small" }, clock(one.time))],
      ["Event", (one) => words(one.type)],
      ["What", (one) => h("span", { class: "small quiet" }, said(one))],
    ],
    items,
  );
}

function said(event) {
  if (event.detail) return [event.reason && `${words(event.reason)}: `, event.detail];
  return Object.entries(event)
    .filter(([name, value]) => !TOLD_ELSEWHERE.has(name) && value !== null && value !== "" && typeof value !== "object")
    .map(([name, value]) => `${words(name)} ${typeof value === "number" ? Number(value.toPrecision(6)) : brief(value, 60)}`)
    .join(", ");
}
