// How a job's state, progress and figures look wherever they are shown.

import { count, duration, figure, words } from "./format.js";
import { h, mark, say } from "./dom.js";

export const STATES = ["running", "queued", "paused", "succeeded", "failed", "cancelled"];
const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export function ended(job) {
  return ENDED.has(job.status);
}

/** A badge; `update(job)` follows the job. */
export function stateBadge() {
  const element = h("span", { class: "state" });
  return {
    element,
    update(job) {
      mark(element, "data-state", job.status);
      say(element, asked(job) ?? job.status);
    },
  };
}

/** What it is about to be, where somebody asked for that. */
function asked(job) {
  if (job.status !== "running") return null;
  if (job.cancel_requested) return "cancelling";
  return job.pause_requested ? "pausing" : null;
}

/** Its reason in words, where that says more than the state. */
export function reasonOf(job) {
  const plain = { running: "training", queued: "submitted", succeeded: "completed", cancelled: "cancel_requested", paused: "pause_requested" };
  return job.reason === plain[job.status] ? "" : words(job.reason);
}

/** Share of the budget that is done, 0 to 1; null where nothing tells. */
export function share(job) {
  const { epoch, epochs, samples, eta_s, samples_per_second } = job.progress;
  if (job.status === "succeeded") return 1;
  if (epoch === null || !epochs) return null;
  // Within an epoch the samples still to come say more than the count of epochs.
  if (eta_s && samples && samples_per_second) return Math.min(1, samples / (samples + eta_s * samples_per_second));
  return Math.min(1, epoch / epochs);
}

/** A bar with a line of words below; `update(job)` follows the job. */
export function progressBar(label) {
  const filled = h("span");
  const bar = h("span", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, filled);
  const line = h("span", { class: "small quiet" });
  const element = h("div", { class: "job-progress" }, bar, line);
  return {
    element,
    update(job) {
      const done = share(job);
      mark(bar, "hidden", done === null ? "" : null);
      element.classList.toggle("barless", done === null);
      mark(bar, "data-state", job.status);
      if (done !== null) {
        const width = `${(done * 100).toFixed(1)}%`;
        if (filled.style.width !== width) filled.style.width = width;
        mark(bar, "aria-valuenow", Math.round(done * 100));
      }
      say(line, progressLine(job));
    },
  };
}

export function progressLine(job) {
  const { epoch, epochs, samples_per_second, eta_s, features } = job.progress;
  if (job.status === "queued") return waitLine(job);
  if (features && epoch === null) return `computing features: ${count(features.done)} of ${count(features.of ?? features.rows)} rows`;
  if (epoch === null) return job.status === "running" ? "starting" : job.kind === "evaluation" ? "evaluation" : "";
  const parts = [job.status === "running" && epoch < epochs ? `epoch ${epoch + 1} of ${epochs}` : `${epoch} of ${epochs} epochs`];
  if (job.status === "running" && samples_per_second) parts.push(`${count(samples_per_second)} samples/s`);
  if (job.status === "running" && eta_s) parts.push(`${duration(eta_s)} left`);
  if (ended(job)) parts.push(`trained ${duration(job.timings.training_s)}`);
  return parts.join(" · ");
}

function waitLine(job) {
  if (job.waiting_for) return job.waiting_for.detail;
  if (job.not_before) return "waits before its next attempt";
  return job.attempt ? `waits for attempt ${job.attempt + 1}` : "waits for its turn";
}

const SPLITS = ["test", "valid", "train", "minibatch"];

/** The split that tells most: of test, validation, training the first that has figures. */
export function bestSplit(values) {
  return SPLITS.find((split) => Object.keys(values[split] ?? {}).length > 0) ?? null;
}

export const SPLIT_NAMES = { train: "training", valid: "validation", test: "test", minibatch: "last minibatch", unlabelled: "unlabelled" };

/** The loss and the metrics of a job's best split, few enough for a row of a list. */
export function figuresOf(job, most = 2) {
  const found = [];
  const loss = bestSplit(job.losses);
  if (loss) found.push(["loss", job.losses[loss].total ?? Object.values(job.losses[loss])[0], loss]);
  const metric = bestSplit(job.metrics);
  if (metric) for (const [name, value] of Object.entries(job.metrics[metric])) found.push([words(name), value, metric]);
  return found.slice(0, most);
}

export function figureList() {
  const element = h("dl", { class: "figures" });
  let shown = "";
  return {
    element,
    update(job) {
      const found = figuresOf(job);
      const key = JSON.stringify(found);
      if (key === shown) return;
      shown = key;
      element.replaceChildren(
        ...found.flatMap(([name, value, split]) => [h("dt", { title: `${name}, ${SPLIT_NAMES[split] ?? split}` }, name), h("dd", {}, figure(value))]),
      );
      element.hidden = found.length === 0;
    },
  };
}
