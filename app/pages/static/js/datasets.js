// What can be trained on.

import { all, send_json } from "./api.js";
import { button, fill, h } from "./dom.js";
import { confirm, empty, guarded, perform } from "./feedback.js";
import { ago, bytes, count, moment, words } from "./format.js";
import { table } from "./table.js";

export default async function datasets({ main, signal }) {
  const place = h("div", { class: "stack" });

  async function look() {
    await guarded(place, async () => {
      const items = await all("/v1/datasets", {}, { signal });
      fill(place, items.length ? items.map((one) => card(one, look)) : h("div", { class: "card" }, empty("No data set yet.", h("p", {}, "Upload one: cntk-jobs datasets add FILE."))));
    }, { title: "The data sets could not be read", again: look });
  }

  await look();
  if (!signal.aborted) fill(main, h("h1", {}, "Data sets"), place);
}

function card(one, look) {
  const remove = button("Delete", async () => {
    const sure = await confirm({ title: `Delete ${one.name}?`, text: "Jobs that still need it are named, and then it stays.", action: "Delete", danger: true });
    if (sure && (await perform(remove, () => send_json("DELETE", `/v1/datasets/${one.id}`), `${one.name} is deleted`)) !== undefined) await look();
  }, { class: "button slim danger", "aria-label": `Delete ${one.name}` });
  return h(
    "section",
    { class: "card stack" },
    h("div", { class: "row apart" }, h("div", {}, h("h2", {}, one.name), h("p", { class: "small quiet" }, h("code", {}, one.id))), remove),
    h("p", {}, [`${count(one.rows)} rows`, bytes(one.size), one.format, ...Object.entries(one.splits).map(([name, split]) => `${name} ${count(split.rows)}`)].join(" · "), " · ", h("time", { datetime: one.created_at, title: moment(one.created_at) }, ago(one.created_at))),
    h("details", {}, h("summary", { class: "small" }, `${count(Object.keys(one.fields).length)} fields`), table(`Fields of ${one.name}`, [
      ["Field", ([name]) => h("code", {}, name)],
      ["Kind", ([, field]) => words(field.kind)],
      ["Shape", ([, field]) => (field.shape ?? []).join(" × ") || "one number"],
      ["Classes", ([, field]) => (field.classes ? field.classes.slice(0, 12).join(", ") + (field.classes.length > 12 ? ` … ${field.classes.length} in all` : "") : "")],
    ], Object.entries(one.fields))),
  );
}
