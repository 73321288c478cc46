// Sweeps: one spec tried with many values, and what came of them.

import { all, get, send_json } from "./api.js";
import { chart } from "./chart.js";
import { button, fill, h, keyed, say } from "./dom.js";
import { confirm, empty, guarded, perform } from "./feedback.js";
import { ago, brief, count, figure, moment, words } from "./format.js";
import { keepLooking } from "./live.js";
import { parallel } from "./parallel.js";
import { facts, liveTable } from "./table.js";

const REASONS = { trials: "all trials were tried", patience: "no better trial for long", cancel_requested: "" };

/** The list, or one sweep where the address names it. */
export default async function sweeps(context) {
  return context.words[0] ? one(context) : list(context);
}

async function list({ main, signal }) {
  const place = h("div", { class: "card flush" });
  const shown = sweepTable();
  const none = empty("No sweep yet.", h("p", {}, "POST /v1/sweeps, or cntk-jobs sweep run, tries one spec with many values."));
  let moving = false;

  async function look() {
    await guarded(place, async () => {
      const items = await all("/v1/sweeps", {}, { most: 100, size: 100, signal });
      moving = items.some((sweep) => sweep.status === "running");
      shown.update(items);
      fill(place, items.length ? shown.element : none);
    }, { title: "The sweeps could not be read", again: look });
  }

  await look();
  if (signal.aborted) return;
  fill(main, h("h1", {}, "Sweeps"), place);
  keepLooking({ look, moving: () => moving, signal });
}

function sweepTable() {
  return liveTable(
    "Sweeps",
    [
      ["Sweep", (sweep) => h("a", { href: `#/sweeps/${sweep.id}` }, h("strong", {}, sweep.name))],
      ["State", badge],
      ["Trials", (sweep) => tally(sweep)],
      ["Goal", (sweep) => goalOf(sweep)],
      ["Best", (sweep) => figure(sweep.best?.value), "number"],
      ["Begun", (sweep) => h("time", { datetime: sweep.created_at, title: moment(sweep.created_at) }, ago(sweep.created_at))],
    ],
    (sweep) => sweep.id,
  );
}

async function one({ main, words: [id], signal }) {
  const name = h("h1");
  const state = h("div", { class: "row" });
  const cancel = button("Cancel", stop, { class: "button danger", hidden: true });
  const summary = h("div");
  const across = h("div");
  const charts = h("div", { class: "charts" });
  const rows = h("div", { class: "card flush" });
  const trouble = h("div");
  const none = empty("No trial has begun yet.");
  let lines = null;
  let trialRows = null;
  let sweep = null;

  async function look() {
    await guarded(trouble, async () => {
      sweep = await get(`/v1/sweeps/${id}`, { signal });
      const trials = await all(`/v1/sweeps/${id}/trials`, {}, { most: 1000, signal });
      fill(trouble);
      say(name, sweep.name);
      fill(state, badge(sweep), sweep.reason && h("span", { class: "quiet" }, REASONS[sweep.reason] ?? words(sweep.reason)));
      cancel.hidden = sweep.status !== "running";
      fill(summary, best(sweep));
      compared(trials.filter((trial) => trial.value !== null));
      trialRows ??= trialTable(sweep);
      trialRows.update(sorted(sweep, trials));
      fill(rows, trials.length ? trialRows.element : none);
    }, { title: "This sweep could not be read", again: look });
  }

  /** The charts of the trials that have a value; many parameters at once say little of one trial. */
  function compared(told) {
    if (told.length > 1) {
      lines ??= parallel({ title: "Trials across their values", signal });
      fill(across, lines.element);
      lines.draw(acrossOf(sweep, told));
    }
    keyed(charts, chartsOf(sweep, told), (found) => found.title, (found) => {
      const drawn = chart({ title: found.title, signal });
      return { element: drawn.element, update: (now) => drawn.draw(now) };
    });
  }

  async function stop() {
    const sure = await confirm({ title: "Cancel this sweep?", text: "Its trials end at once; their checkpoints stay.", action: "Cancel the sweep", danger: true });
    if (sure && (await perform(cancel, () => send_json("POST", `/v1/sweeps/${id}/cancel`), `${sweep.name} is being cancelled`))) await look();
  }

  await look();
  if (signal.aborted) return;
  if (sweep) document.title = `${sweep.name} · CNTK jobs`;
  fill(main, trouble, h("div", { class: "row apart" }, h("div", { class: "row" }, name, state), cancel), summary, across, charts, rows);
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

/** The goal by trial, and by each parameter that is a number; of trials that have a value. */
function chartsOf(sweep, told) {
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

/** An axis for each parameter, and the last for the goal. */
function acrossOf(sweep, told) {
  const varied = Object.entries(sweep.asked.space).map(([pointer, { log }]) => ({ name: pointer, log: Boolean(log), values: told.map((trial) => trial.parameters[pointer]) }));
  return {
    axes: [...varied, { name: words(sweep.goal.metric), log: false, values: told.map((trial) => trial.value) }],
    trials: told.map((trial) => `trial ${trial.trial}`),
    better: sweep.goal.better,
    best: told.findIndex((trial) => trial.trial === sweep.best?.trial),
  };
}

function sorted(sweep, trials) {
  const better = (trial) => (trial.value === null ? Infinity : sweep.goal.better === "lower" ? trial.value : -trial.value);
  return [...trials].sort((one, other) => better(one) - better(other));
}

function trialTable(sweep) {
  const { element, update } = liveTable(
    "Trials, the best first",
    [
      ["Trial", (trial) => h("a", { href: `#/jobs/${trial.job}` }, String(trial.trial))],
      ["State", (trial) => [h("span", { class: "state", data: { state: trial.status } }, trial.status), trial.detail && h("p", { class: "small quiet" }, trial.detail)]],
      [words(sweep.goal.metric), (trial) => figure(trial.value), "number"],
      ["Epochs", (trial) => count(trial.epoch), "number"],
      ...Object.keys(sweep.asked.space).map((pointer) => [pointer, (trial) => shown(trial.parameters[pointer]), "number"]),
    ],
    (trial) => trial.trial,
  );
  return { element: h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Trials" }, element), update };
}
