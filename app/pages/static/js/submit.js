// A new job: from an example, or from another job; judged by the service while it is written.

import { all, get, Problem, send_json } from "./api.js";
import { button, field, fill, h, select } from "./dom.js";
import { editor } from "./editor.js";
import { notify, problem } from "./feedback.js";
import { bytes, count } from "./format.js";
import { mergePatch } from "./json_text.js";
import { facts, table } from "./table.js";

const SETTLE_MS = 500;
const FIRST = "digits_recipe";

export default async function submit({ main, query, signal }) {
  const parent = query.get("from");
  const [examples, datasets, origin] = await Promise.all([
    get(new URL("../examples.json", import.meta.url).href, { signal }),
    all("/v1/datasets", {}, { most: 200, signal }),
    parent ? get(`/v1/jobs/${parent}`, { signal }) : null,
  ]);
  if (signal.aborted) return;
  const { element: writing, text, mark, line, point } = editor({ label: "The spec, as JSON", describedby: "judged", changed: later });
  const judged = h("div", { class: "stack", id: "judged", role: "status", "aria-live": "polite" });
  const go = button(parent ? "Submit the new job" : "Submit", send, { class: "button primary", disabled: true });
  const example = select([["", "nothing"], ...Object.keys(examples).map((name) => [name, name.replaceAll("_", " ")])], "", () => start(examples[example.value] ?? {}));
  const dataset = select([["", datasets.length ? "choose one" : "none uploaded yet"], ...datasets.map((one) => [one.id, `${one.name}, ${count(one.rows)} rows`])], "", () => dataset.value && edit((spec) => ({ ...spec, dataset: dataset.value })));
  let timer = 0;
  let round = 0;

  function start(spec) {
    const known = datasets.find((one) => one.id === spec.dataset) ?? fitting(spec, datasets);
    dataset.value = known?.id ?? "";
    write(known ? { ...spec, dataset: known.id } : spec);
  }

  function write(spec) {
    text.value = JSON.stringify(spec, null, 2);
    judge();
  }

  function edit(change) {
    try {
      write(change(JSON.parse(text.value || "{}")));
    } catch {
      notify("The text is no JSON yet", "bad");
    }
  }

  function later() {
    clearTimeout(timer);
    go.disabled = true;
    mark([]);
    timer = setTimeout(judge, SETTLE_MS);
  }

  /** Have the service say what it makes of the spec. */
  async function judge() {
    clearTimeout(timer);
    round += 1;
    const mine = round;
    go.disabled = true;
    let answer;
    let wrong = [];
    try {
      const spec = JSON.parse(text.value);
      answer = valid(await send_json("POST", "/v1/jobs?validate_only=true", spec, { signal }), spec);
    } catch (error) {
      if (error.name === "AbortError") return;
      answer = error instanceof SyntaxError ? problem(error, { title: "This is no JSON" }) : refused(error);
      wrong = (error.errors ?? []).map((fault) => fault.pointer);
    }
    if (mine !== round) return;
    mark(wrong);
    go.disabled = answer.dataset.valid !== "yes";
    fill(judged, answer);
  }

  function refused(error) {
    if (!(error instanceof Problem) || !error.errors.length) return problem(error);
    return h(
      "div",
      { class: "stack" },
      h("h2", {}, error.errors.length === 1 ? "One thing is wrong" : `${error.errors.length} things are wrong`),
      h("ul", { class: "stack" }, error.errors.map((fault) => h("li", {}, h("button", { type: "button", class: "fault-button", on: { click: () => point(fault.pointer) } }, h("code", {}, fault.pointer || "/"), h("span", { class: "small quiet" }, ` line ${line(fault.pointer)}`), h("br"), fault.detail)))),
    );
  }

  async function send() {
    go.disabled = true;
    try {
      const spec = JSON.parse(text.value);
      const headers = { "Idempotency-Key": crypto.randomUUID() };
      const made = origin && !query.get("mode") ? await send_json("POST", `/v1/jobs/${origin.id}/fork`, mergePatch(bare(origin.spec), spec) ?? {}, { headers }) : await send_json("POST", "/v1/jobs", spec, { headers });
      notify(`${made.name} is queued`);
      location.hash = `#/jobs/${made.id}`;
    } catch (error) {
      fill(judged, error instanceof Problem ? refused(error) : problem(error));
      go.disabled = false;
    }
  }

  fill(
    main,
    h("h1", {}, title(origin, query)),
    h(
      "div",
      { class: "two" },
      h("div", { class: "card stack" }, h("div", { class: "row" }, !parent && field("Start from", example), field("Data set", dataset)), writing),
      h("div", { class: "stack" }, h("div", { class: "card stack" }, h("div", { class: "row apart" }, go, h("a", { href: "/docs", class: "small" }, "What a spec may say")), judged)),
    ),
  );
  if (origin) start(childOf(origin, query));
  else {
    example.value = examples[FIRST] ? FIRST : "";
    start(examples[FIRST] ?? {});
  }
}

function title(origin, query) {
  if (!origin) return "Submit a job";
  const names = { exact: "Train on from", continue: "Train on from", weights: "Fork a checkpoint of" };
  return `${names[query.get("mode")] ?? "Fork"} ${origin.name}`;
}

/** The spec to begin with: the parent's, and where it starts from. */
function childOf(origin, query) {
  const spec = bare(origin.spec ?? {});
  const mode = query.get("mode");
  if (!mode) return spec;
  const samples = query.get("checkpoint");
  const checkpoint = samples ? Number(samples) : "latest";
  const start_from = { job: origin.id, checkpoint, mode };
  if (mode === "weights") return { ...spec, start_from };
  // There must be something left to train.
  const epochs = origin.status === "succeeded" && !samples ? spec.training.epochs * 2 : spec.training.epochs;
  return { ...spec, training: { ...spec.training, epochs }, start_from };
}

/** A data set whose fields are the ones that a spec names. */
function fitting(spec, datasets) {
  const wanted = [...Object.values(spec.inputs ?? {}).map((input) => input.field), ...(spec.objective ?? []).map((term) => term.target), spec.recipe?.input, spec.recipe?.target].filter((name) => typeof name === "string");
  const outputs = new Set((spec.network ?? []).map((layer) => layer.name));
  return datasets.find((one) => wanted.length && wanted.every((name) => name in one.fields || outputs.has(name)));
}

/** A spec without what follows from it. */
function bare({ fingerprint, ...spec }) {
  return spec;
}

function valid(answer, spec) {
  const { parameters, memory_bytes, checkpoint_bytes, layers } = answer.estimate;
  return h(
    "div",
    { class: "stack", data: { valid: "yes" } },
    h("p", { class: "notice good" }, "The service would take this spec."),
    facts([["Parameters", count(parameters)], ["Memory", bytes(memory_bytes)], ["A checkpoint", bytes(checkpoint_bytes)]]),
    layers && h("details", {}, h("summary", {}, `${layers.length} layers`), table("Layers", [["Layer", (one) => h("code", {}, one.name)], ["Shape", (one) => (one.shape ?? []).join(" × ")], ["Parameters", (one) => count(one.parameters)]], layers)),
    h("details", {}, h("summary", {}, "The learner, as CNTK is called"), h("pre", { class: "small" }, answer.cntk_call)),
    h("details", {}, h("summary", {}, spec.recipe ? "The recipe, expanded" : "Every default filled in"), h("pre", { class: "document", tabindex: 0, role: "region", "aria-label": "The complete spec" }, JSON.stringify(answer.spec, null, 2))),
  );
}
