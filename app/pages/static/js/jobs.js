// The list of jobs: filtered, live, and from where several are compared.

import { all, get, path, send_json } from "./api.js";
import { ago, moment } from "./format.js";
import { button, fill, h, keyedInSlices, mark, say } from "./dom.js";
import { confirm, empty, notify, problem } from "./feedback.js";
import { ended, figureList, progressBar, reasonOf, stateBadge } from "./job_parts.js";
import { filterForm } from "./jobs_filter.js";
import { keepLooking } from "./live.js";

const PAGE = 100;

export default async function jobs({ main, query, signal }) {
  const chosen = new Set();
  const body = h("tbody", { role: "rowgroup" });
  const table = h(
    "table",
    { class: "jobs", role: "table" },
    h("caption", { class: "hidden-text" }, "Jobs"),
    h(
      "thead",
      { role: "rowgroup" },
      h("tr", { role: "row" }, ["Compare", "Job", "State", "Progress", "Figures", "Submitted"].map((name, index) => h("th", { scope: "col", role: "columnheader" }, index ? name : h("span", { class: "hidden-text" }, name)))),
    ),
    body,
  );
  const place = h("div", { class: "card flush" });
  const trouble = h("div");
  const total = h("p", { class: "quiet", role: "status" });
  const compare = h("a", { class: "button", hidden: true });
  const more = button("Show more", () => ((wanted += PAGE), look()), { hidden: true });
  let wanted = PAGE;
  let shown = null;
  let looks = 0;
  let placed = null;

  const choose = (id, on) => {
    if (on) chosen.add(id);
    else chosen.delete(id);
    compare.hidden = chosen.size < 2;
    compare.href = `#/compare?jobs=${[...chosen].join(",")}`;
    say(compare, `Compare ${chosen.size} jobs`);
  };
  const filters = filterForm(query, () => {
    wanted = PAGE;
    return look();
  });

  const cancel = button("Cancel these…", () => cancelAll(filters.query()).then(look, (error) => fill(trouble, problem(error))), { class: "button danger slim", hidden: true });

  async function look() {
    const turn = (looks += 1);
    // Whoever changes a filter is answered by the newest look, not by the one that takes longest.
    const outdated = () => turn < looks || signal.aborted;
    try {
      const found = await page(filters.query(), wanted, signal);
      if (outdated()) return;
      shown = found.items;
      fill(trouble);
      // An older look's rows, which it has just stopped to place.
      await placed;
      placed = keyedInSlices(body, shown, (job) => job.id, (job) => row(job, chosen, choose), outdated);
      await placed;
      if (outdated()) return;
      fill(place, shown.length ? table : nothing(filters.active()));
      more.hidden = !found.next_page_token;
      cancel.hidden = !filters.active() || !shown.some((job) => !ended(job));
      say(total, shown.length ? `${shown.length}${found.next_page_token ? " newest" : ""} ${shown.length === 1 ? "job" : "jobs"}` : "");
    } catch (error) {
      if (error.name !== "AbortError") fill(trouble, problem(error, { title: "The list could not be read", again: look }));
    }
  }

  await look();
  if (signal.aborted) return;
  fill(
    main,
    h("div", { class: "row apart" }, h("h1", {}, "Jobs"), h("div", { class: "row" }, compare, h("a", { class: "button primary", href: "#/submit" }, "Submit a job"))),
    filters.element,
    trouble,
    place,
    h("div", { class: "row apart" }, total, h("div", { class: "row" }, cancel, more)),
  );
  keepLooking({ look, moving: () => (shown ?? []).some((job) => !ended(job)), signal });
}

/** Cancel every job that the filters find, once somebody has seen how many they are. */
async function cancelAll({ order_by, ...filters }) {
  const live = { ...filters, status: filters.status.filter((state) => !ended({ status: state })) };
  const wanted = Object.fromEntries(Object.entries(live).filter(([, value]) => value.length));
  const { matched } = await send_json("POST", "/v1/jobs/cancel", { ...wanted, preview: true });
  if (!matched) return notify("None of them can be cancelled any more", "bad");
  const text = "All of the filters' jobs that have not ended, also those that the list does not show yet.";
  const sure = await confirm({ title: `Cancel ${matched} ${matched === 1 ? "job" : "jobs"}?`, text, action: `Cancel ${matched}`, danger: true });
  if (!sure) return undefined;
  const done = await send_json("POST", "/v1/jobs/cancel", { ...wanted, preview: false });
  return notify(`${done.matched} ${done.matched === 1 ? "job is" : "jobs are"} being cancelled`);
}

/** The first `wanted` jobs; a page of the API has at most 500. */
async function page(query, wanted, signal) {
  if (wanted <= 500) return get(path("/v1/jobs", { ...query, page_size: wanted }), { signal });
  const items = await all("/v1/jobs", query, { most: wanted, signal });
  return { items, next_page_token: items.length === wanted };
}

function nothing(filtered) {
  if (filtered) return empty("No job fits these filters.");
  return empty("No job yet.", h("p", {}, "Post a spec to /v1/jobs, or ", h("a", { href: "#/submit" }, "start from an example"), "."));
}

function row(first, chosen, choose) {
  const link = h("a", { href: `#/jobs/${first.id}` });
  const below = h("div", { class: "below" });
  const badge = stateBadge();
  const reason = h("div", { class: "small quiet" });
  const bar = progressBar(`Progress of ${first.name}`);
  const figures = figureList();
  const when = h("time", { class: "small quiet", datetime: first.created_at, title: moment(first.created_at) });
  const box = h("input", { type: "checkbox", checked: chosen.has(first.id), "aria-label": `Compare ${first.name}`, on: { change: () => choose(first.id, box.checked) } });
  const contents = [box, [h("div", { class: "name" }, link), below], [badge.element, reason], bar.element, figures.element, when];
  const element = h("tr", { role: "row" }, contents.map((content) => h("td", { role: "cell" }, content)));
  let labels = null;
  let seen = "";
  return {
    element,
    update(job) {
      const age = ago(job.created_at);
      const now = JSON.stringify([job, age]);
      if (now === seen) return;
      seen = now;
      say(link, job.name || job.id);
      const wanted = [job.kind === "evaluation" && "evaluation", job.owner, ...(job.tags ?? [])].filter(Boolean);
      if (labels !== wanted.join()) {
        labels = wanted.join();
        fill(below, wanted.map((label) => h("span", { class: "tag" }, label)));
      }
      badge.update(job);
      say(reason, reasonOf(job));
      mark(reason, "title", job.detail || null);
      bar.update(job);
      figures.update(job);
      say(when, age);
    },
  };
}
