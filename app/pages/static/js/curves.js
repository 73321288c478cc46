// A job's course: losses by minibatch and by epoch, every term, every metric, the learning rate.

import { get, path } from "./api.js";
import { chart, smoothed } from "./chart.js";
import { button, fill, h, keyed, select } from "./dom.js";
import { empty, guarded } from "./feedback.js";
import { capital, count, figure, words } from "./format.js";
import { SPLIT_NAMES } from "./job_parts.js";

const POINTS = 600;
const COLOURS = { train: 0, valid: 1, test: 2 };

export default function curves({ job, signal }) {
  const view = { log: false, smooth: 0, x: "step", range: null };
  const charts = new Map();
  const place = h("div", { class: "charts" });
  const numbers = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Numbers by epoch" });
  const details = h("details", { class: "card", on: { toggle: () => draw() } }, h("summary", {}, "The numbers, epoch by epoch"), numbers);
  const note = h("div");
  const shown = controls();
  const element = h("div", { class: "stack" }, note, shown, place, details);
  let found = null;

  function controls() {
    const log = button("Log scale", () => {
      view.log = !view.log;
      log.setAttribute("aria-pressed", String(view.log));
      draw();
    }, { "aria-pressed": "false", class: "button slim" });
    const output = h("output", { class: "small quiet" }, "0");
    const smooth = h("input", {
      type: "range", min: 0, max: 0.98, step: 0.02, value: 0, id: "smoothing",
      on: { input: () => ((view.smooth = Number(smooth.value)), (output.textContent = smooth.value), draw()) },
    });
    const axis = select([["step", "minibatches"], ["epoch", "epochs"], ["samples", "samples"]], view.x, () => ((view.x = axis.value), zoom(null)));
    axis.setAttribute("aria-label", "Along the horizontal axis");
    return h(
      "div",
      { class: "row", role: "group", "aria-label": "How curves are shown" },
      log,
      h("label", { class: "choice small", for: "smoothing" }, "Smoothing"),
      smooth,
      output,
      axis,
      button("Whole course", () => zoom(null), { class: "button slim" }),
      h("span", { class: "small quiet" }, "Drag across a chart to zoom in."),
    );
  }

  function zoom(range) {
    view.range = range;
    for (const one of charts.values()) one.zoom(range);
    draw();
  }

  async function look() {
    await guarded(note, async () => {
      found = await get(path(`/v1/jobs/${job.id}/metrics`, { points: POINTS }), { signal });
      fill(note);
      draw();
    }, { title: "The curves could not be read" });
  }

  function draw() {
    if (!found) return;
    const groups = groupsOf(found, view);
    if (!groups.length) {
      fill(note, h("div", { class: "card" }, empty("No curves yet.", h("p", {}, "They begin with the first minibatch."))));
      shown.hidden = details.hidden = true;
      return;
    }
    shown.hidden = details.hidden = false;
    keyed(place, groups, (group) => group.title, (group) => {
      const one = chart({ title: group.title, zoomed: zoom, signal });
      charts.set(group.title, one);
      return { element: one.element, update: (now) => one.draw({ series: now.series, log: view.log, floor: now.floor, x: axisName(view.x) }) };
    });
    if (details.open) fill(numbers, table(found));
  }

  look();
  // Its own minibatches tell of a long epoch before the epoch does.
  return { element, look, lively: true };
}

function axisName(x) {
  return { step: "minibatches", epoch: "epochs", samples: "samples" }[x];
}

/** The charts that the figures of a job make: [{title, series}]. */
function groupsOf({ epochs, minibatches }, view) {
  const along = (points) => points.map((point) => point[view.x]);
  const series = (kind, name) =>
    Object.keys(COLOURS)
      .filter((split) => epochs.some((point) => point[kind][split]?.[name] !== undefined))
      .map((split) => ({
        name: SPLIT_NAMES[split],
        colour: COLOURS[split],
        x: along(epochs),
        y: smoothed(epochs.map((point) => point[kind][split]?.[name] ?? null), view.smooth),
        markers: true,
      }));
  const named = (kind) => [...new Set(epochs.flatMap((point) => Object.values(point[kind]).flatMap(Object.keys)))];
  const groups = [];
  const total = series("losses", "total");
  if (minibatches.steps) total.unshift(byMinibatch(minibatches, epochs, view));
  if (total.length) groups.push({ title: "Loss", series: total });
  const terms = named("losses").filter((name) => name !== "total");
  if (terms.length > 1) for (const name of terms) groups.push({ title: `Loss: ${words(name)}`, series: series("losses", name) });
  for (const name of named("metrics")) groups.push({ title: capital(words(name)), series: series("metrics", name) });
  const rates = epochs.map((point) => point.learning_rate);
  if (rates.some((rate) => rate !== null)) groups.push({ title: "Learning rate", floor: true, series: [{ name: "learning rate", colour: 3, x: along(epochs), y: rates, markers: true }] });
  return groups;
}

function byMinibatch(minibatches, epochs, view) {
  const { step, mean, min, max } = minibatches;
  const series = { name: "minibatches", colour: 7, faint: true, x: step.map((at) => place(at, epochs, view.x)), y: smoothed(mean, view.smooth) };
  return view.smooth > 0 ? series : { ...series, low: min, high: max };
}

/** Where a step lies along another axis: between the epochs around it, and beyond the last as fast as in it. */
function place(step, epochs, axis) {
  if (axis === "step" || !epochs.length) return step;
  let after = epochs.findIndex((point) => point.step >= step);
  if (after < 0) after = epochs.length - 1;
  const to = epochs[after];
  const from = after > 0 ? epochs[after - 1] : { step: 0, epoch: to.epoch - 1, samples: 0 };
  return from[axis] + ((step - from.step) / (to.step - from.step)) * (to[axis] - from[axis]);
}

function table({ epochs }) {
  const columns = [...new Set(epochs.flatMap((point) => ["losses", "metrics"].flatMap((kind) => Object.entries(point[kind]).flatMap(([split, values]) => Object.keys(values).map((name) => `${kind}/${split}/${name}`)))))];
  return h(
    "table",
    { class: "small" },
    h("caption", { class: "hidden-text" }, "Losses, metrics and learning rate by epoch"),
    h("thead", {}, h("tr", {}, ["Epoch", "Step", "Learning rate", ...columns.map(heading)].map((name) => h("th", { scope: "col", class: "number" }, name)))),
    h(
      "tbody",
      {},
      epochs.map((point) =>
        h(
          "tr",
          {},
          h("th", { scope: "row", class: "number" }, count(point.epoch)),
          h("td", { class: "number" }, count(point.step)),
          h("td", { class: "number" }, figure(point.learning_rate)),
          columns.map((column) => {
            const [kind, split, name] = column.split("/");
            return h("td", { class: "number" }, figure(point[kind][split]?.[name]));
          }),
        ),
      ),
    ),
  );
}

function heading(column) {
  const [kind, split, name] = column.split("/");
  return `${name === "total" ? "loss" : words(name)}, ${SPLIT_NAMES[split] ?? split}${kind === "losses" && name !== "total" ? " (loss)" : ""}`;
}
