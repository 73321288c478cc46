// A job's checkpoints: kept, fetched, and gone on from.

import { download, get, send_json } from "./api.js";
import { button, fill, h } from "./dom.js";
import { empty, guarded, perform } from "./feedback.js";
import { ago, bytes, count, figure, moment, words } from "./format.js";
import { bestSplit, SPLIT_NAMES } from "./job_parts.js";
import { table } from "./table.js";

export default function checkpoints({ job, signal }) {
  const element = h("div", { class: "stack" });

  async function look() {
    await guarded(element, async () => {
      const { items } = await get(`/v1/jobs/${job.id}/checkpoints`, { signal });
      fill(element, h("div", { class: "card flush" }, items.length ? list(items.reverse()) : empty("No checkpoint yet.", h("p", {}, "The spec's “checkpoints” says when one is saved."))));
    }, { title: "The checkpoints could not be read", again: look });
  }

  function list(items) {
    return table(
      `Checkpoints of ${job.name}`,
      [
        ["Samples", (one) => [h("strong", {}, count(one.samples)), " ", one.best && h("span", { class: "tag" }, "best"), " ", one.pinned && h("span", { class: "tag" }, "pinned")]],
        ["Epoch", (one) => [count(one.epoch), h("p", { class: "small quiet short" }, `minibatch ${count(one.step)}`)]],
        ["Figures", figures],
        ["Size", (one) => bytes(one.size), "short"],
        ["Saved", (one) => h("time", { datetime: one.created_at, title: moment(one.created_at) }, ago(one.created_at)), "short"],
        ["What may be done", (one) => controls(one)],
      ],
      items,
    );
  }

  function controls(one) {
    const pin = button(one.pinned ? "Unpin" : "Pin", async () => {
      const answer = await perform(pin, () => send_json(one.pinned ? "DELETE" : "PUT", `/v1/jobs/${job.id}/checkpoints/${one.samples}/pin`), one.pinned ? "It is left to retention again" : "It is kept, whatever retention says");
      if (!answer) return;
      await look();
      element.querySelector(`[data-pin="${one.samples}"]`)?.focus();
    }, { class: "button slim", "data-pin": one.samples, "aria-label": `${one.pinned ? "Unpin" : "Pin"} the checkpoint at ${one.samples} samples` });
    const from = (mode, text, more) => h("a", { class: "button slim", href: `#/submit?from=${job.id}&checkpoint=${one.samples}&mode=${mode}`, "aria-label": `${text} at ${one.samples} samples`, title: more }, text);
    const files = h(
      "details",
      {},
      h("summary", { class: "small" }, "Files"),
      h("ul", { class: "stack small" }, one.files.map((file) => {
        const fetch = button(`${file.path}, ${bytes(file.size)}`, () => perform(fetch, () => download(file.href, file.path)), { class: "button slim", title: file.sha256 ? `sha256 ${file.sha256}` : null });
        return h("li", {}, fetch);
      })),
    );
    return h("div", { class: "stack" }, h("div", { class: "row" }, pin, from("exact", "Resume from here", "Model, learner, reading position and random state go on"), from("weights", "Fork from here", "Its weights, and everything else new")), files);
  }

  look();
  return { element, look };
}

function figures(one) {
  const pairs = ["losses", "metrics"].flatMap((kind) => {
    const split = bestSplit(one[kind]);
    return split ? Object.entries(one[kind][split]).filter(([name]) => kind === "metrics" || name === "total").map(([name, value]) => [`${name === "total" ? "loss" : words(name)}`, value, split]) : [];
  });
  return h("dl", { class: "figures" }, pairs.flatMap(([name, value, split]) => [h("dt", { title: SPLIT_NAMES[split] }, name), h("dd", {}, figure(value))]));
}
