// Several jobs beside one another: their curves, their figures, what differs in their specs.

import { all, get, path } from "./api.js";
import { chart, smoothed } from "./chart.js";
import { fill, h, keyed, select } from "./dom.js";
import { empty, problem } from "./feedback.js";
import { brief, capital, duration, figure, words } from "./format.js";
import { ended, SPLIT_NAMES } from "./job_parts.js";
import { flat } from "./json_text.js";
import { keepLooking } from "./live.js";
import { colour } from "./plotly.js";

const RECENT = 50;

export default async function compare({ main, query, signal }) {
  const ids = [...new Set((query.get("jobs") ?? "").split(",").filter(Boolean))];
  if (ids.length < 2) return fill(main, h("h1", {}, "Compare"), await picker(ids, signal)) && undefined;
  const view = { split: "valid", smooth: 0, x: "epoch", log: false };
  const places = { charts: h("div", { class: "charts" }), figures: h("div"), specs: h("div"), trouble: h("div") };
  const charts = new Map();
  let found = [];

  async function look() {
    try {
      const [{ jobs: courses }, ...records] = await Promise.all([get(path("/v1/metrics", { job: ids, points: 1 }), { signal }), ...ids.map((id) => get(`/v1/jobs/${id}`, { signal }))]);
      found = records.map((job, index) => ({ ...job, course: courses[index] }));
      fill(places.trouble);
      draw();
    } catch (error) {
      if (error.name !== "AbortError") fill(places.trouble, problem(error, { title: "These jobs could not be read", again: look }));
    }
  }

  function draw() {
    const groups = groupsOf(found, view);
    keyed(places.charts, groups, (group) => group.title, (group) => {
      const one = chart({ title: group.title, signal, zoomed: (range) => charts.forEach((other) => other.zoom(range)) });
      charts.set(group.title, one);
      return { element: one.element, update: (now) => one.draw({ series: now.series, log: view.log, x: view.x === "epoch" ? "epochs" : "samples" }) };
    });
    fill(places.figures, figures(found));
    fill(places.specs, differences(found));
  }

  const controls = () => {
    const split = select(["valid", "train", "test"].map((name) => [name, SPLIT_NAMES[name]]), view.split, () => ((view.split = split.value), draw()));
    const axis = select([["epoch", "by epoch"], ["samples", "by samples"]], view.x, () => ((view.x = axis.value), draw()));
    split.setAttribute("aria-label", "Split");
    axis.setAttribute("aria-label", "Along the horizontal axis");
    const log = h("button", { type: "button", class: "button slim", "aria-pressed": "false" }, "Log scale");
    log.addEventListener("click", () => ((view.log = !view.log), log.setAttribute("aria-pressed", String(view.log)), draw()));
    const smooth = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0, id: "smoothing", on: { input: () => ((view.smooth = Number(smooth.value)), draw()) } });
    return h("div", { class: "row", role: "group", "aria-label": "How curves are shown" }, log, h("label", { class: "choice small", for: "smoothing" }, "Smoothing"), smooth, split, axis);
  };

  await look();
  if (signal.aborted) return undefined;
  // Where no job has a validation split, what there is.
  if (!found.some((job) => job.course.epochs.some((point) => point.losses.valid))) view.split = "train";
  draw();
  fill(main, h("div", { class: "row apart" }, h("h1", {}, `Compare ${ids.length} jobs`), h("a", { class: "button", href: "#/compare" }, "Choose others")), places.trouble, controls(), places.charts, places.figures, places.specs);
  keepLooking({ look, moving: () => found.some((job) => !ended(job)), signal });
  return undefined;
}

/** Choose among the newest jobs. */
async function picker(chosen, signal) {
  const jobs = await all("/v1/jobs", {}, { most: RECENT, signal });
  if (jobs.length < 2) return h("div", { class: "card" }, empty("There are not two jobs yet.", h("p", {}, h("a", { href: "#/submit" }, "Submit one"))));
  const boxes = jobs.map((job) => h("input", { type: "checkbox", value: job.id, checked: chosen.includes(job.id), on: { change: ready } }));
  const go = h("button", { class: "button primary" }, "Compare");
  const picked = () => boxes.filter((box) => box.checked).map((box) => box.value);
  function ready() {
    go.disabled = picked().length < 2;
  }
  ready();
  return h(
    "form",
    { class: "card stack", on: { submit: (event) => (event.preventDefault(), (location.hash = `#/compare?jobs=${picked().join(",")}`)) } },
    h("fieldset", { class: "stack" }, h("legend", {}, "Two or more of the newest jobs"), jobs.map((job, index) => h("label", { class: "choice" }, boxes[index], h("span", {}, job.name), h("span", { class: "state", data: { state: job.status } }, job.status), h("span", { class: "small quiet" }, job.id)))),
    h("div", {}, go),
  );
}

function groupsOf(jobs, view) {
  const kinds = [["losses", "Loss"], ["metrics", ""]];
  return kinds.flatMap(([kind, prefix]) => {
    const names = [...new Set(jobs.flatMap((job) => job.course.epochs.flatMap((point) => Object.keys(point[kind][view.split] ?? {}))))];
    return names
      .filter((name) => kind === "metrics" || name === "total" || names.length > 2)
      .sort((one, other) => (other === "total") - (one === "total"))
      .map((name) => ({
        title: name === "total" ? prefix : prefix ? `${prefix}: ${words(name)}` : capital(words(name)),
        series: jobs.map((job, index) => ({
          name: label(job, jobs),
          colour: index,
          x: job.course.epochs.map((point) => point[view.x]),
          y: smoothed(job.course.epochs.map((point) => point[kind][view.split]?.[name] ?? null), view.smooth),
          markers: true,
        })),
      }));
  });
}

/** Its name, or its id too where two have the same name. */
function label(job, jobs) {
  return jobs.filter((other) => other.name === job.name).length > 1 ? `${job.name} ${job.id.slice(-4)}` : job.name;
}

function figures(jobs) {
  const columns = [...new Set(jobs.flatMap((job) => ["losses", "metrics"].flatMap((kind) => ["valid", "test"].flatMap((split) => Object.keys(job[kind][split] ?? {}).filter((name) => kind === "metrics" || name === "total").map((name) => `${kind}/${split}/${name}`)))))];
  const heading = (column) => {
    const [, split, name] = column.split("/");
    return `${name === "total" ? "loss" : words(name)}, ${SPLIT_NAMES[split]}`;
  };
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Figures"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Figures of each job" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["Job", "State", "Epochs", "Trained"].map((name) => h("th", { scope: "col" }, name)), columns.map((column) => h("th", { scope: "col", class: "number" }, heading(column))))),
        h("tbody", {}, jobs.map((job, index) => h(
          "tr",
          {},
          h("th", { scope: "row" }, h("span", { class: "choice" }, h("span", { class: "swatch", style: { "--colour": colour(index) } }), h("a", { href: `#/jobs/${job.id}` }, label(job, jobs)))),
          h("td", {}, h("span", { class: "state", data: { state: job.status } }, job.status)),
          h("td", {}, job.progress.epoch === null ? "–" : `${job.progress.epoch} of ${job.progress.epochs}`),
          h("td", {}, duration(job.timings.training_s)),
          columns.map((column) => {
            const [kind, split, name] = column.split("/");
            return h("td", { class: "number" }, figure(job[kind][split]?.[name]));
          }),
        ))),
      ),
    ),
  );
}

function differences(jobs) {
  const specs = jobs.map((job) => new Map(flat(job.spec ?? {})));
  const pointers = [...new Set(specs.flatMap((spec) => [...spec.keys()]))].filter((pointer) => !["/fingerprint", "/name"].includes(pointer) && new Set(specs.map((spec) => JSON.stringify(spec.get(pointer)))).size > 1);
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "What differs in their specs"),
    pointers.length === 0
      ? h("p", { class: "quiet" }, "Nothing.")
      : h(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences" },
          h("table", { class: "changes" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Where"), jobs.map((job) => h("th", { scope: "col" }, label(job, jobs))))), h("tbody", {}, pointers.map((pointer) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, pointer)), specs.map((spec) => h("td", { class: "mono" }, spec.has(pointer) ? brief(spec.get(pointer), 48) : "–")))))),
        ),
  );
}
