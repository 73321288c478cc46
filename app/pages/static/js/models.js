// Base models that jobs can take layers from.

import { all, send_json } from "./api.js";
import { button, fill, h } from "./dom.js";
import { confirm, empty, guarded, perform } from "./feedback.js";
import { ago, count, moment } from "./format.js";
import { table } from "./table.js";

export default async function models({ main, signal }) {
  const place = h("div", { class: "card flush" });

  async function look() {
    await guarded(place, async () => {
      const items = await all("/v1/models", {}, { signal });
      fill(place, items.length ? list(items, look) : empty("No base model yet.", h("p", {}, "POST /v1/models brings a file, or what a job has trained.")));
    }, { title: "The models could not be read", again: look });
  }

  await look();
  if (!signal.aborted) fill(main, h("h1", {}, "Models"), place);
}

function list(items, look) {
  return table(
    "Base models",
    [
      ["Model", (one) => [h("strong", {}, one.name), h("p", { class: "small quiet" }, one.id)]],
      ["State", (one) => [h("span", { class: "state", data: { state: one.status } }, one.status), one.detail && h("p", { class: "small quiet" }, one.detail)]],
      ["From", (one) => (one.source.job ? h("a", { href: `#/jobs/${one.source.job}` }, one.source.job) : one.source.filename)],
      ["Inputs", (one) => (one.inputs ?? []).map((input) => `${input.name} ${input.shape.join(" × ")}`).join(", ")],
      ["Parameters", (one) => count(one.parameters)],
      ["Brought", (one) => h("time", { datetime: one.created_at, title: moment(one.created_at) }, ago(one.created_at))],
      ["Remove", (one) => {
        const remove = button("Delete", async () => {
          const sure = await confirm({ title: `Delete ${one.name}?`, text: "Jobs that were submitted with it keep what they need.", action: "Delete", danger: true });
          if (sure && (await perform(remove, () => send_json("DELETE", `/v1/models/${one.id}`), `${one.name} is deleted`)) !== undefined) await look();
        }, { class: "button slim danger", "aria-label": `Delete ${one.name}` });
        return remove;
      }],
    ],
    items,
  );
}
