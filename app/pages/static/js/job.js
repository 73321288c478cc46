// One job: what it is, how far, what may be done, and its parts one at a time.

import { get } from "./api.js";
import { actionsOf } from "./actions.js";
import { fill, h, say } from "./dom.js";
import { notify } from "./feedback.js";
import { ago, moment, words } from "./format.js";
import { ended, progressBar, reasonOf, stateBadge } from "./job_parts.js";
import { throttled } from "./live.js";
import { follow } from "./stream.js";
import checkpoints from "./checkpoints.js";
import curves from "./curves.js";
import history from "./history.js";
import lineage from "./lineage.js";
import logs from "./logs.js";
import results from "./results.js";
import spec from "./spec.js";

const PARTS = { curves, checkpoints, results, spec, lineage, logs, history };
const TITLES = { curves: "Curves", checkpoints: "Checkpoints", results: "Results", spec: "Spec", lineage: "Lineage", logs: "Logs", history: "History" };
const SETTLE_MS = 700;
const NORMAL = 5;

export default async function job({ main, words: [id, first], query, signal }) {
  let found = await get(`/v1/jobs/${id}`, { signal });
  if (signal.aborted) return undefined;
  document.title = `${found.name} · CNTK jobs`;
  const head = header(changed);
  const place = h("div");
  const tabs = Object.keys(TITLES).map((name) => h("a", { href: `#/jobs/${id}/${name}` }, TITLES[name]));
  fill(main, head.element, h("nav", { class: "tabs", "aria-label": "Parts of this job" }, tabs), place);

  let part = null;
  let inner = new AbortController();
  signal.addEventListener("abort", () => inner.abort());

  function open([, name = found.kind === "evaluation" ? "results" : "curves"], parameters) {
    inner.abort();
    inner = new AbortController();
    const known = PARTS[name] ? name : "curves";
    Object.keys(TITLES).forEach((title, index) => (title === known ? tabs[index].setAttribute("aria-current", "page") : tabs[index].removeAttribute("aria-current")));
    part = PARTS[known]({ job: found, query: parameters, signal: inner.signal });
    fill(place, part.element);
  }

  const refresh = throttled(
    async () => {
      if (signal.aborted) return;
      const before = found.status;
      found = await get(`/v1/jobs/${id}`, { signal }).catch(() => found);
      head.update(found);
      part.update?.(found);
      if (found.status !== before) notify(`${found.name} is ${found.status}`, found.status === "failed" ? "bad" : "good");
    },
    SETTLE_MS,
    signal,
  );
  // A part that reads more than the job reads it again where something of it happened.
  const again = throttled(async () => part.look?.(), SETTLE_MS, signal);

  let following = false;
  async function live() {
    if (following || ended(found)) return;
    following = true;
    const heard = ({ event, data }) => {
      if (event === "progress") {
        found = { ...found, ...data, progress: { ...found.progress, ...data.progress } };
        head.update(found);
        part.update?.(found);
        if (part.lively) again();
        return;
      }
      part.heard?.(event, data);
      refresh();
      again();
    };
    try {
      await follow(`/v1/jobs/${id}/events`, heard, signal, head.connected);
    } finally {
      following = false;
    }
  }

  async function changed(answer) {
    found = answer ?? found;
    head.update(found);
    await refresh();
    live();
  }

  head.update(found);
  open([id, first], query);
  live();
  return open;
}

function header(changed) {
  const title = h("h1");
  const badge = stateBadge();
  const reason = h("span", { class: "quiet" });
  const id = h("code");
  const when = h("time");
  const facts = h("span", { class: "row" });
  const origin = h("span");
  const bar = progressBar("Progress");
  const detail = h("p", { class: "notice", hidden: true });
  const link = h("p", { class: "small quiet", role: "status" });
  const actions = actionsOf(changed);
  const element = h(
    "div",
    { class: "job-head" },
    h("div", { class: "row apart" }, h("div", { class: "row" }, title, badge.element, reason), actions.element),
    h("div", { class: "ids" }, id, when, facts, origin),
    bar.element,
    detail,
    link,
  );
  return {
    element,
    update(job) {
      say(title, job.name || job.id);
      badge.update(job);
      say(reason, reasonOf(job));
      say(id, job.id);
      say(when, `submitted ${ago(job.created_at)}`);
      when.dateTime = job.created_at;
      when.title = moment(job.created_at);
      const labels = [job.kind === "evaluation" && "evaluation", job.owner && `by ${job.owner}`, job.priority !== undefined && job.priority !== NORMAL && `priority ${job.priority}`, ...(job.tags ?? [])].filter(Boolean);
      if (facts.dataset.shown !== labels.join()) {
        facts.dataset.shown = labels.join();
        fill(facts, labels.map((label) => h("span", { class: "tag" }, label)));
      }
      const parent = job.resumed_from ?? (job.forked_from ? { job: job.forked_from.job, mode: "fork" } : null);
      if (job.sweep && !origin.hasChildNodes()) fill(origin, "a trial of ", h("a", { href: `#/sweeps/${job.sweep}` }, job.sweep));
      if (parent && !origin.hasChildNodes()) fill(origin, `${words(parent.mode)} of `, h("a", { href: `#/jobs/${parent.job}` }, parent.job));
      bar.update(job);
      const said = job.status === "queued" && job.waiting_for ? "" : job.detail;
      detail.hidden = !said;
      detail.classList.toggle("bad", job.status === "failed");
      say(detail, said);
      actions.update(job);
    },
    connected: (on) => say(link, on ? "" : "The live stream broke off; it is being taken up again."),
  };
}
