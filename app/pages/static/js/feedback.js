// What the page says by itself: short notices, questions, errors, empty places.

import { button, fill, freshId, h } from "./dom.js";
import { capital } from "./format.js";
import { mayAsk } from "./session.js";

const SHOWN_MS = 6_000;

/** A short notice, read out politely. */
export function notify(text, kind = "good") {
  const notice = h("p", { class: `toast ${kind}` }, text);
  document.querySelector(".toasts").append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}

/**
 * Ask before something is done. `content` stands between text and buttons. Resolves to the form's data,
 * or null where it was called off.
 */
export function confirm({ title, text, action, danger = false, content = [] }) {
  return new Promise((resolve) => {
    const id = freshId("dialog");
    const yes = h("button", { class: `button ${danger ? "danger" : "primary"}`, value: "yes" }, action);
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id }, title),
      text && h("p", { class: "quiet" }, text),
      content,
      h("div", { class: "actions" }, button("Go back", () => dialog.close("")), yes),
    );
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? new FormData(form) : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A problem, whole: its sentence, and every fault by its pointer. */
export function problem(error, { title = "That did not work", again } = {}) {
  const faults = (error.errors ?? []).filter((fault) => fault.detail !== error.message);
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("strong", {}, title),
    h("p", {}, capital(error.message)),
    faults.length > 0 &&
      h(
        "ul",
        { class: "faults" },
        faults.map((fault) => h("li", {}, fault.pointer && h("code", {}, fault.pointer), " ", fault.detail)),
      ),
    (error.differences ?? []).length > 0 &&
      h(
        "ul",
        { class: "faults" },
        error.differences.map((one) => h("li", {}, h("code", {}, one.pointer), ` here ${JSON.stringify(one.here)}, there ${JSON.stringify(one.there)}`)),
      ),
    // What is not there will not be there the next time.
    again && error.status !== 404 && button("Try again", () => (mayAsk(), again())),
  );
}

export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), more);
}

/** Run `work` and put its failure into `place`; an aborted view is no failure. Resolves to whether it went well. */
export async function guarded(place, work, options) {
  try {
    await work();
    return true;
  } catch (error) {
    if (error.name !== "AbortError") fill(place, problem(error, options));
    return false;
  }
}

/** Run what a button asks for, the button being off meanwhile; say what came of it. */
export async function perform(control, work, done) {
  control.disabled = true;
  mayAsk();
  try {
    const found = await work();
    if (done) notify(done);
    return found;
  } catch (error) {
    if (error.name !== "AbortError") notify(error.message, "bad");
    return undefined;
  } finally {
    control.disabled = false;
  }
}
