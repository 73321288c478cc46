// Who trains, on what, and which job.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { empty, guarded } from "./feedback.js";
import { ago, moment } from "./format.js";
import { keepLooking } from "./live.js";
import { table } from "./table.js";

export default async function workers({ main, signal }) {
  const place = h("div", { class: "card flush" });
  let busy = false;

  async function look() {
    await guarded(place, async () => {
      const { items } = await get("/v1/workers", { signal });
      busy = items.some((one) => one.job);
      fill(place, items.length ? list(items) : empty("No worker was heard of lately.", h("p", {}, "Jobs wait until one comes: python -m worker, or scripts/up.")));
    }, { title: "The workers could not be read", again: look });
  }

  await look();
  if (signal.aborted) return;
  fill(main, h("h1", {}, "Workers"), place);
  keepLooking({ look, moving: () => busy, signal });
}

function list(items) {
  return table(
    "Workers",
    [
      ["Worker", (one) => [h("strong", {}, one.name), h("p", { class: "small quiet" }, `${one.host}, process ${one.pid}`)]],
      ["Now", (one) => (one.job ? h("a", { href: `#/jobs/${one.job}` }, one.job) : h("span", { class: "quiet" }, "idle"))],
      ["Threads", (one) => h("span", { title: "CPU threads that a job of this worker may have" }, one.threads)],
      ["Trainer", (one) => one.summary],
      ["Labels", (one) => Object.entries(one.labels).map(([name, value]) => h("span", { class: "tag" }, `${name}=${value}`))],
      ["Since", (one) => h("time", { datetime: one.started_at, title: moment(one.started_at) }, ago(one.started_at))],
    ],
    items,
  );
}
