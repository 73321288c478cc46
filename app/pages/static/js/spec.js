// A job's spec, every default filled in, beside what was posted, and what it changed of its parent's.

import { get, getOr } from "./api.js";
import { button, fill, h } from "./dom.js";
import { empty, guarded, notify } from "./feedback.js";
import { brief } from "./format.js";

export default function spec({ job, signal }) {
  const changed = h("div");
  const posted = h("div");
  const element = h("div", { class: "stack" }, changed, job.spec ? h("div", { class: job.recipe ? "two even" : null }, job.recipe && posted, whole(job)) : h("div", { class: "card" }, empty("The spec is not on the volume any more.")));

  async function look() {
    await guarded(changed, async () => {
      const found = job.forked_from?.diff ? job.forked_from.diff.map(({ pointer, from, to }) => ({ pointer, here: to, there: from })) : null;
      const [own, parent] = (await get(`/v1/jobs/${job.id}/lineage`, { signal })).items;
      const changes = found ?? own?.changed;
      const origin = job.forked_from?.job ?? parent?.job;
      if (changes) fill(changed, h("section", { class: "card stack" }, h("h2", {}, "Against its parent, ", h("a", { href: `#/jobs/${origin}/spec` }, parent?.name ?? origin)), changesTable(changes)));
    }, { title: "The difference from its parent could not be read" });
  }

  async function original() {
    await guarded(posted, async () => {
      const found = await getOr(null, `/v1/jobs/${job.id}/posted`, { signal });
      fill(posted, h("section", { class: "card" }, h("h2", {}, "As it was posted"), found ? h("pre", { class: "document", tabindex: 0, role: "region", "aria-label": "The spec as it was posted" }, JSON.stringify(found, null, 2)) : empty("What was posted is not on the volume any more.")));
    }, { title: "What was posted could not be read" });
  }

  look();
  if (job.recipe) original();
  return { element };
}

function whole(job) {
  const text = JSON.stringify(job.spec, null, 2);
  const copy = button("Copy", async () => {
    await navigator.clipboard.writeText(text);
    notify("The spec is on the clipboard");
  }, { class: "button slim" });
  return h(
    "section",
    { class: "card" },
    h("div", { class: "row apart" }, h("h2", {}, "Spec, every default filled in"), h("div", { class: "row" }, copy, h("a", { class: "button slim", href: `#/submit?from=${job.id}` }, "Edit as a new job"))),
    h("pre", { class: "document", tabindex: 0, role: "region", "aria-label": "The spec" }, text),
  );
}

/** What changed between two specs: [{pointer, here, there}]. */
export function changesTable(changes, before = "Parent", after = "Here") {
  if (!changes.length) return h("p", { class: "quiet" }, "Nothing differs.");
  return h(
    "table",
    { class: "stacked changes" },
    h("thead", {}, h("tr", {}, ["Where", before, after].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, changes.map((one) => h("tr", {}, h("td", { data: { title: "Where" } }, h("div", {}, h("code", {}, one.pointer))), h("td", { data: { title: before } }, h("div", {}, h("del", {}, brief(one.there)))), h("td", { data: { title: after } }, h("div", {}, h("ins", {}, brief(one.here))))))),
  );
}
