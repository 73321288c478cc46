// Where a job came from: itself, then what it started from, back to the first; and what came of it.

import { all, get } from "./api.js";
import { fill, h } from "./dom.js";
import { guarded } from "./feedback.js";
import { count, words } from "./format.js";
import { changesTable } from "./spec.js";

const MOST = 200;
const TOLD = { volume: "its record is gone; the volume tells of it", nothing: "nothing is left of it but its id" };

export default function lineage({ job, signal }) {
  const element = h("div", { class: "card" });

  async function look() {
    await guarded(element, async () => {
      const [{ items }, children] = await Promise.all([get(`/v1/jobs/${job.id}/lineage`, { signal }), all("/v1/jobs", { parent: job.id }, { most: MOST, signal })]);
      fill(
        element,
        h("h2", {}, "Lineage"),
        h("ol", { class: "lineage" }, items.map((one, index) => step(one, index === 0))),
        job.forked_from && h("p", {}, "Its spec was forked from ", h("a", { href: `#/jobs/${job.forked_from.job}` }, job.forked_from.job), "."),
        items.length === 1 && !job.forked_from && h("p", { class: "quiet" }, "It began afresh."),
        h("h3", {}, "What came of it"),
        children.length ? h("ul", { class: "lineage" }, children.map((child) => kin(child, job))) : h("p", { class: "quiet" }, "No job yet."),
      );
    }, { title: "The lineage could not be read", again: look });
  }

  look();
  return { element };
}

/** A job that came of this one. */
function kin(child, job) {
  const start = child.resumed_from?.job === job.id ? child.resumed_from : null;
  return h(
    "li",
    {},
    h("div", { class: "row" }, h("a", { href: `#/jobs/${child.id}` }, child.name), h("span", { class: "state", data: { state: child.status } }, child.status)),
    h("p", { class: "small quiet" }, child.id),
    h("p", { class: "small" }, [start && `${words(start.mode)} from ${start.checkpoint}`, child.forked_from?.job === job.id && "a fork of its spec"].filter(Boolean).join(", ")),
  );
}

function step(one, own) {
  const name = one.name ?? one.job;
  return h(
    "li",
    { "aria-current": own ? "true" : null },
    h("div", { class: "row" }, own ? h("strong", {}, name) : h("a", { href: `#/jobs/${one.job}` }, name), one.status && h("span", { class: "state", data: { state: one.status } }, one.status)),
    h("p", { class: "small quiet" }, one.job, TOLD[one.found] ? ` · ${TOLD[one.found]}` : ""),
    one.checkpoint && h("p", { class: "small" }, `${words(one.mode)} from ${one.checkpoint}`, one.step !== null && ` · ${count(one.step)} minibatches, ${count(one.samples)} samples behind it`),
    one.changed?.length > 0 && h("details", {}, h("summary", { class: "small" }, `${one.changed.length} ${one.changed.length === 1 ? "change" : "changes"} to the spec`), changesTable(one.changed)),
  );
}
