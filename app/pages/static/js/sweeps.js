// Sweeps: one spec tried with many values, and what came of them.

import { all, get, send_json } from "./api.js";
import { chart } from "./chart.js";
import { button, fill, h, keyed } from "./dom.js";
import { confirm, empty, guarded, perform } from "./feedback.js";
import { ago, brief, count, figure, moment, words } from "./format.js";
import { keepLooking } from "./live.js";
import { facts, table } from "./table.js";

/** The list, or one sweep where the address names it. */
export default async function sweeps(context) {
  return context.words[0] ? one(context) : list(context);
}

async function list({ main, signal }) {
  const place = h("div", { class: "card flush" });
  let moving = false;

  async function look() {
    await guarded(place, async () => {
      const items = await all("/v1/sweeps", {}, { most: 100, size: 100, signal });
      moving = items.some((sweep) => sweep.status === "running");
      fill(place, items.length ? sweepTable(items) : empty("No sweep yet.", h("p", {}, "POST /v1/sweeps, or cntk-jobs sweep, tries one spec with many values.")));
    }, { title: "The sweeps could not be read", again: look });
  }

  await look();
  if (signal.aborted) return;
  fill(main, h("h1", {}, "Sweeps"), place);
  keepLooking({ look, moving: () => moving, signal });
}

function sweepTable(items) {
  return table(
    "Sweeps",
    [
      ["Sweep", (sweep) => h("a", { href: `#/sweeps/${sweep.id}` }, h("strong", {}, sweep.name))],
      ["State", badge],
      ["Trials", (sweep) => tally(sweep)],
      ["Goal", (sweep) => goalOf(sweep)],
      ["Best", (sweep) => figure(sweep.best?.value), "number"],
      ["Begun", (sweep) => h("time", { datetime: sweep.created_at, title: moment(sweep.created_at) }, ago(sweep.created_at))],
    ],
    items,
  );
}

async function one({ main, words: [id], signal }) {
  const head = h("div", { class: "stack" });
  const charts = h("div", { class: "charts" });
  const rows = h("div", { class: "card flush" });
  const trouble = h("div");
  let sweep = null;

  async function look() {
    await guarded(trouble, async () => {
      sweep = await get(`/v1/sweeps/${id}`, { signal });
      const trials = await all(`/v1/sweeps/${id}/trials`, {}, { most: 1000, signal });
      fill(trouble);
      fill(head, heading(), best(sweep));
      keyed(charts, chartsOf(sweep, trials), (found) => found.title, (found) => {
        const drawn = chart({ title: found.title, signal });
        return { element: drawn.element, update: (now) => drawn.draw(now) };
      });
      fill(rows, trials.length ? trialTable(sweep, trials) : empty("No trial has begun yet."));
    }, { title: "This sweep could not be read", again: look });
  }

  function heading() {
    const cancel = button("Cancel", async () => {
      const sure = await confirm({ title: "Cancel this sweep?", text: "Its trials end at once; their checkpoints stay.", action: "Cancel the sweep", danger: true });
      if (sure && (await perform(cancel, () => send_json("POST", `/v1/sweeps/${id}/cancel`), `${sweep.name} is being cancelled`))) await look();
    }, { class: "button danger", hidden: sweep.status !== "running" });
    return h("div", { class: "row apart" }, h("div", { class: "row" }, h("h1", {}, sweep.name), badge(sweep), sweep.reason && h("span", { class: "quiet" }, words(sweep.reason))), cancel);
  }

  await look();
  if (signal.aborted) return;
  if (sweep) document.title = `${sweep.name} · CNTK jobs`;
  fill(main, trouble, head, charts, rows);
  keepLooking({ look, moving: () => sweep?.status === "running", signal });
}

function badge(sweep) {
  return h("span", { class: "state", data: { state: sweep.status === "completed" ? "succeeded" : sweep.status } }, sweep.status);
}

function tally({ trials }) {
  return Object.entries(trials)
    .filter(([, number]) => number > 0)
    .map(([kind, number]) => `${count(number)} ${words(kind)}`)
    .join(", ");
}

function goalOf({ goal }) {
  return `${goal.better === "lower" ? "lowest" : "highest"} ${words(goal.metric)}, ${goal.split}`;
}

function best(sweep) {
  return h(
    "section",
    { class: "card stack" },
    facts([
      ["Goal", goalOf(sweep)],
      ["Trials", tally(sweep)],
      ["Best so far", sweep.best && figure(sweep.best.value)],
      ["Best job", sweep.best && h("a", { href: `#/jobs/${sweep.best.job}` }, `trial ${sweep.best.trial}`)],
      ...Object.entries(sweep.best?.parameters ?? {}).map(([pointer, value]) => [pointer, h("strong", {}, shown(value))]),
    ]),
  );
}

function shown(value) {
  return typeof value === "number" ? figure(value) : brief(value, 40);
}

/** The goal by trial, and by each parameter that is a number. */
function chartsOf(sweep, trials) {
  const told = trials.filter((trial) => trial.value !== null);
  if (!told.length) return [];
  const y = told.map((trial) => trial.value);
  const texts = told.map((trial) => `trial ${trial.trial}`);
  const of = (title, x, values, logX = false) => ({ title, x, logX, series: [{ name: words(sweep.goal.metric), colour: 0, points: true, x: values, y, texts }] });
  const numbers = Object.keys(told[0].parameters).filter((pointer) => told.every((trial) => typeof trial.parameters[pointer] === "number"));
  return [
    of("By trial", "trial", told.map((trial) => trial.trial)),
    ...numbers.map((pointer) => of(`By ${pointer}`, pointer, told.map((trial) => trial.parameters[pointer]), Boolean(sweep.asked.space[pointer]?.log))),
  ];
}

function trialTable(sweep, trials) {
  const pointers = [...new Set(trials.flatMap((trial) => Object.keys(trial.parameters)))];
  const better = (trial) => (trial.value === null ? Infinity : sweep.goal.better === "lower" ? trial.value : -trial.value);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Trials" },
    table(
      "Trials, the best first",
      [
        ["Trial", (trial) => h("a", { href: `#/jobs/${trial.job}` }, String(trial.trial))],
        ["State", (trial) => [h("span", { class: "state", data: { state: trial.status } }, trial.status), trial.detail && h("p", { class: "small quiet" }, trial.detail)]],
        [words(sweep.goal.metric), (trial) => figure(trial.value), "number"],
        ["Epochs", (trial) => count(trial.epoch), "number"],
        ...pointers.map((pointer) => [pointer, (trial) => shown(trial.parameters[pointer]), "number"]),
      ],
      [...trials].sort((one, other) => better(one) - better(other)),
    ),
  );
}
