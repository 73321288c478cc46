// What may be asked of a job in its present state, with a question where something would be lost.

import { Problem, send_json } from "./api.js";
import { button, field, fill, h, select } from "./dom.js";
import { confirm, notify, perform } from "./feedback.js";
import { ended } from "./job_parts.js";

/** {element, update(job)}; `changed()` is called after anything was done. */
export function actionsOf(changed) {
  const element = h("div", { class: "row", role: "group", "aria-label": "What may be done" });
  let shown = "";
  let now = null;
  return {
    element,
    update(job) {
      now = job;
      const offered = offers(job);
      const key = offered.map(([name]) => name).join();
      if (key === shown) return;
      shown = key;
      const focused = element.contains(document.activeElement) ? document.activeElement.textContent : null;
      fill(
        element,
        offered.map(([name, run, properties]) => {
          if (typeof run === "string") return h("a", { class: "button", href: run, ...properties }, name);
          const control = button(name, () => run(now, control, changed), properties);
          return control;
        }),
      );
      // The button that was pressed may be gone: its neighbour keeps the place of somebody at the keyboard.
      if (focused) ([...element.children].find((found) => found.textContent === focused) ?? element.firstElementChild)?.focus();
    },
  };
}

function offers(job) {
  const found = [];
  const saved = job.checkpoints > 0 && job.kind === "training";
  if (job.status === "paused" || (job.status === "running" && job.pause_requested && !job.cancel_requested)) found.push(["Resume", resume, { class: "button primary" }]);
  if ((job.status === "running" || job.status === "queued") && !job.pause_requested && !job.cancel_requested) found.push(["Pause", pause]);
  if (job.status === "failed") found.push(["Retry", retry, { class: "button primary" }]);
  if (saved) found.push(["Train on", `#/submit?from=${job.id}&mode=exact`]);
  if (job.kind === "training") found.push(["Fork", `#/submit?from=${job.id}`]);
  if (saved) found.push(["Evaluate", evaluate]);
  found.push(["Edit", edit]);
  if (!ended(job) && !job.cancel_requested) found.push(["Cancel", cancel, { class: "button danger" }]);
  return found;
}

async function act(job, control, changed, word, { query = "", body, done }) {
  const answer = await perform(control, () => send_json("POST", `/v1/jobs/${job.id}/${word}${query}`, body), done);
  if (answer) await changed(answer);
}

function resume(job, control, changed) {
  return act(job, control, changed, "resume", { done: `${job.name} goes on` });
}

async function pause(job, control, changed) {
  const sure = await confirm({ title: "Pause this job?", text: "It saves a checkpoint and frees its worker. Resume takes it up where it was.", action: "Pause" });
  if (sure) await act(job, control, changed, "pause", { done: `${job.name} pauses` });
}

async function cancel(job, control, changed) {
  const running = job.status === "running";
  const choice = (value, text, checked) => h("label", { class: "choice" }, h("input", { type: "radio", name: "how", value, checked }), text);
  const sure = await confirm({
    title: "Cancel this job?",
    text: "A job that was cancelled does not run again. Its checkpoints stay, and others can start from them.",
    action: "Cancel the job",
    danger: true,
    content: running ? h("fieldset", { class: "stack" }, h("legend", {}, "How"), choice("now", "At once", true), choice("save", "After a last checkpoint", false)) : [],
  });
  if (sure) await act(job, control, changed, "cancel", { query: sure.get("how") === "save" ? "?checkpoint=save" : "", done: `${job.name} is being cancelled` });
}

async function retry(job, control, changed) {
  const from = select([["latest", "the newest checkpoint"], ["best", "the best checkpoint"], ["start", "the beginning"]], "latest");
  from.name = "checkpoint";
  const rate = h("input", { name: "rate", inputmode: "decimal", placeholder: "as before", autocomplete: "off" });
  const sure = await confirm({
    title: "Try this job again?",
    text: job.detail || undefined,
    action: "Retry",
    content: [field("Go on from", from, "Newer checkpoints are deleted."), field("Learning rate", rate, "A number; left out, it stays as it was.")],
  });
  if (!sure) return;
  const given = sure.get("rate").trim();
  const body = { checkpoint: sure.get("checkpoint"), ...(given ? { learning_rate: number(given) } : {}) };
  await act(job, control, changed, "retry", { body, done: `${job.name} is queued again` });
}

async function edit(job, control, changed) {
  const name = h("input", { name: "name", value: job.name, autocomplete: "off", required: true });
  const tags = h("input", { name: "tags", value: (job.tags ?? []).join(" "), autocomplete: "off", spellcheck: "false" });
  const priority = h("input", { name: "priority", value: job.priority ?? 0, type: "number", min: 0, max: 9, step: 1 });
  const sure = await confirm({
    title: "Edit this job",
    action: "Save",
    content: [field("Name", name), field("Tags", tags, "With spaces between"), field("Priority", priority, "0 to 9; 9 goes first while it waits.")],
  });
  if (!sure) return;
  const wanted = { name: sure.get("name"), tags: sure.get("tags").split(/\s+/).filter(Boolean), priority: Number(sure.get("priority")) };
  const patch = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(job[key])));
  const answer = await perform(control, () => send_json("PATCH", `/v1/jobs/${job.id}`, patch), "Saved");
  if (answer) await changed(answer);
}

/** What the service shall judge, number or not. */
function number(text) {
  const value = Number(text);
  return Number.isNaN(value) ? text : value;
}

async function evaluate(job, control) {
  const split = select([["", "test, else validation"], ["test", "test"], ["valid", "validation"], ["train", "training"]], "");
  split.name = "split";
  const from = select([["latest", "the newest"], ["best", "the best"]], "latest");
  from.name = "checkpoint";
  const dataset = h("input", { name: "dataset", placeholder: job.dataset, autocomplete: "off", spellcheck: "false" });
  const sure = await confirm({
    title: "Evaluate a checkpoint",
    text: "A job of its own runs it on a data set and leaves predictions and a report.",
    action: "Evaluate",
    content: [field("Checkpoint", from), field("Split", split), field("Data set", dataset, "Left out, the job's own.")],
  });
  if (!sure) return;
  const body = Object.fromEntries([...sure].filter(([, value]) => value.trim() !== ""));
  try {
    const made = await send_json("POST", `/v1/jobs/${job.id}/evaluate`, body, { headers: { "Idempotency-Key": crypto.randomUUID() } });
    notify("The evaluation is queued");
    location.hash = `#/jobs/${made.id}`;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notify(error.message, "bad");
  }
}
