// What a job left: its figures, its pictures and its files.

import { download, get, picture } from "./api.js";
import { button, fill, h } from "./dom.js";
import { empty, guarded, perform } from "./feedback.js";
import { bytes, figure, words } from "./format.js";
import { SPLIT_NAMES } from "./job_parts.js";
import { table } from "./table.js";

const CAPTIONS = {
  "curves.png": "Losses, metrics and learning rate by epoch",
  "confusion.png": "Confusion matrix: a line for each true class, a column for each said",
  "mistakes.png": "What it was wrong about with the highest probability",
  "pictures.png": "Nodes of the network for some rows: inputs, codes, what was rebuilt",
  "detections.png": "Detections, and what is annotated dashed",
  "detections_before.png": "Detections before overlapping ones are suppressed",
  "precision_recall.png": "Precision by recall, for each class",
};

export default function results({ job, signal }) {
  const place = h("div", { class: "stack" });
  const numbers = h("div");
  const element = h("div", { class: "stack" }, numbers, place);
  let shown = null;

  async function look() {
    await guarded(place, async () => {
      const { items } = await get(`/v1/jobs/${job.id}/artifacts`, { signal });
      const key = items.map((file) => `${file.path} ${file.size}`).join();
      if (key === shown) return;
      shown = key;
      const pictures = items.filter((file) => /\.(png|jpe?g|svg)$/i.test(file.path));
      // The curves stand under Curves too, and can be zoomed there.
      pictures.sort((one, other) => (one.path === "curves.png") - (other.path === "curves.png"));
      fill(
        place,
        pictures.length > 0 && h("div", { class: "pictures" }, pictures.map((file) => framed(file, signal))),
        h("div", { class: "card flush" }, items.length ? list(items) : empty("Nothing is left yet.", h("p", {}, "Predictions, report, pictures and model come when the job ends."))),
      );
    }, { title: "The results could not be read", again: look });
  }

  function update(now) {
    const splits = [...new Set([...Object.keys(now.losses), ...Object.keys(now.metrics)])].filter((split) => split !== "minibatch");
    const text = JSON.stringify([now.losses, now.metrics, now.result]);
    if (numbers.dataset.shown === text) return;
    numbers.dataset.shown = text;
    const best = now.result?.best;
    fill(
      numbers,
      splits.length > 0 &&
        h(
          "section",
          { class: "card stack" },
          h("h2", {}, "Figures"),
          figures(now, splits),
          best?.value !== undefined && h("p", {}, `Best ${words(best.metric)}: ${figure(best.value)}, after epoch ${best.epoch}`),
          now.result?.parameters_sha256 && h("p", { class: "small quiet" }, "Digest of the parameters ", h("code", {}, now.result.parameters_sha256)),
        ),
    );
  }

  update(job);
  look();
  return { element, look, update };
}

function figures(job, splits) {
  const rows = ["losses", "metrics"].flatMap((kind) => [...new Set(splits.flatMap((split) => Object.keys(job[kind][split] ?? {})))].map((name) => [kind, name]));
  // A single term is the total again.
  const told = rows.filter(([kind, name]) => kind === "metrics" || name === "total" || rows.filter(([other]) => other === "losses").length > 2);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Figures by split" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Figure"), splits.map((split) => h("th", { scope: "col", class: "number" }, SPLIT_NAMES[split] ?? split)))),
      h("tbody", {}, told.map(([kind, name]) => h("tr", {}, h("th", { scope: "row" }, name === "total" ? "loss" : kind === "losses" ? `loss: ${words(name)}` : words(name)), splits.map((split) => h("td", { class: "number" }, figure(job[kind][split]?.[name])))))),
    ),
  );
}

function framed(file, signal) {
  const caption = CAPTIONS[file.path] ?? file.path;
  const image = h("img", { alt: caption, loading: "lazy" });
  const frame = h("figure", { class: "card" }, image, h("figcaption", { class: "small quiet" }, caption));
  picture(file.href, signal).then(
    (source) => {
      image.src = source;
      image.addEventListener("load", () => source.startsWith("blob:") && URL.revokeObjectURL(source));
    },
    () => fill(frame, empty("This picture could not be fetched.", h("code", {}, file.path))),
  );
  return frame;
}

function list(items) {
  return table(
    "Files that the job left",
    [
      ["File", (file) => h("code", {}, file.path)],
      ["Size", (file) => bytes(file.size)],
      [
        "Fetch",
        (file) => {
          const fetch = button("Download", () => perform(fetch, () => download(file.href, file.path.split("/").at(-1))), { class: "button slim", "aria-label": `Download ${file.path}` });
          return fetch;
        },
      ],
    ],
    items,
  );
}
