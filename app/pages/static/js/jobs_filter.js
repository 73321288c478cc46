// The filters of the list of jobs, kept in the address so that a view can be bookmarked and sent.

import { field, h, select } from "./dom.js";
import { STATES } from "./job_parts.js";

const SETTLE_MS = 300;
const ORDERS = [
  ["", "newest first"],
  ["created_at", "oldest first"],
  ["-updated_at", "changed last"],
  ["-finished_at", "finished last"],
  ["-priority", "highest priority"],
  ["name", "name"],
  ["losses.total", "lowest loss"],
];

/** {element, query(), active()}; `changed()` is called once the reader has paused. */
export function filterForm(query, changed) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(apply, SETTLE_MS);
  };
  const text = (name, properties = {}) => h("input", { type: "search", name, value: query.get(name) ?? "", spellcheck: "false", autocomplete: "off", on: { input: later }, ...properties });
  const states = STATES.map((state) => h("input", { type: "checkbox", value: state, checked: query.getAll("status").includes(state), on: { change: () => apply() } }));
  const inputs = {
    name: text("name", { placeholder: "part of a name" }),
    tag: text("tag", { placeholder: "team:vision nightly" }),
    owner: text("owner"),
    recipe: text("recipe"),
    dataset: text("dataset", { placeholder: "ds_…" }),
    where: text("where", { placeholder: "metrics.accuracy>0.9" }),
    created_after: text("created_after", { type: "date" }),
  };
  const kind = select([["", "any"], ["training", "training"], ["evaluation", "evaluation"]], query.get("kind") ?? "", () => apply());
  const order = select(ORDERS, query.get("order_by") ?? "", () => apply());

  function current() {
    const several = (input) => input.value.split(/\s+/).filter(Boolean);
    return {
      status: states.filter((box) => box.checked).map((box) => box.value),
      name: inputs.name.value.trim(),
      kind: kind.value,
      tag: several(inputs.tag),
      owner: inputs.owner.value.trim(),
      recipe: inputs.recipe.value.trim(),
      dataset: inputs.dataset.value.trim(),
      where: several(inputs.where),
      created_after: inputs.created_after.value && new Date(`${inputs.created_after.value}T00:00:00`).toISOString(),
      order_by: order.value,
    };
  }

  function apply() {
    clearTimeout(timer);
    const kept = new URLSearchParams(states.filter((box) => box.checked).map((box) => ["status", box.value]));
    for (const [name, input] of Object.entries({ ...inputs, kind, order_by: order })) if (input.value.trim()) kept.set(name, input.value.trim());
    const found = kept.toString();
    // Replaced, not pushed: going back leaves the list instead of undoing letters.
    history.replaceState(null, "", found ? `#/jobs?${found}` : "#/jobs");
    changed();
  }

  const rare = ["tag", "owner", "recipe", "dataset", "where", "created_after", "kind", "order_by"];
  const element = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter jobs", on: { submit: (event) => (event.preventDefault(), apply()) } },
    h(
      "div",
      { class: "first" },
      field("Name", inputs.name),
      h("fieldset", {}, h("legend", {}, "State"), h("div", { class: "chips" }, states.map((box) => h("label", { class: "chip" }, box, h("span", {}, box.value))))),
    ),
    h(
      "details",
      { open: rare.some((name) => query.get(name)) },
      h("summary", {}, "More filters and order"),
      h(
        "div",
        { class: "more" },
        field("Tags", inputs.tag, "All of them, with spaces between"),
        field("Where", inputs.where, "metrics, losses or progress; all must hold"),
        field("Owner", inputs.owner),
        field("Recipe", inputs.recipe),
        field("Data set", inputs.dataset),
        field("Submitted since", inputs.created_after),
        field("Kind", kind),
        field("Order", order),
      ),
    ),
  );
  return { element, query: current, active: () => Object.values(current()).some((value) => value.length > 0) };
}
