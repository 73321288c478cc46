// Dialogs that make something: what is wrong is said beside the field, and what is told once is shown once.

import { Problem } from "./api.js";
import { button, field, fill, freshId, h } from "./dom.js";
import { notify, problem } from "./feedback.js";

/**
 * Ask for what is needed to make something. `fields` are [pointer, label, input, hint]; the pointer says which faults
 * belong to the field. `send()` makes it; while it is refused the dialog stays, with each fault where it belongs.
 * Resolves to what `send` gave, or null where it was called off.
 */
export function ask({ title, text, action, fields, send }) {
  return new Promise((resolve) => {
    const id = freshId("dialog");
    const rest = h("div");
    const rows = fields.map(([pointer, label, input, hint]) => ({ pointer, input, row: input.tagName === "FIELDSET" ? input : field(label, input, hint), fault: h("p", { class: "small fault", id: freshId("fault") }) }));
    for (const { row, fault } of rows) row.append(fault);
    const yes = h("button", { class: "button primary" }, action);
    const form = h("form", { novalidate: true, on: { submit } }, h("h2", { id }, title), text && h("p", { class: "quiet" }, text), rows.map(({ row }) => row), rest, h("div", { class: "actions" }, button("Go back", () => dialog.close()), yes));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
    let made = null;

    async function submit(event) {
      event.preventDefault();
      yes.disabled = true;
      tell([]);
      try {
        made = await send();
        dialog.close();
      } catch (error) {
        if (!(error instanceof Problem) || !error.errors.length) fill(rest, problem(error));
        else tell(error.errors);
      } finally {
        yes.disabled = false;
      }
    }

    function tell(faults) {
      const left = new Set(faults);
      for (const { pointer, input, fault } of rows) {
        const own = faults.filter((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`));
        own.forEach((one) => left.delete(one));
        fill(fault, own.map((one) => h("span", {}, one.detail)));
        mark(input, fault, own.length > 0);
      }
      fill(rest, left.size > 0 && h("ul", { class: "notice bad faults" }, [...left].map((one) => h("li", {}, h("code", {}, one.pointer), " ", one.detail))));
      rows.find(({ input }) => input.getAttribute("aria-invalid"))?.input.focus();
    }

    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(made);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Tell those who hear the page that an input is wrong, and why. */
function mark(input, fault, wrong) {
  const described = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== fault.id);
  if (wrong) {
    input.setAttribute("aria-invalid", "true");
    described.unshift(fault.id);
  } else input.removeAttribute("aria-invalid");
  if (described.length) input.setAttribute("aria-describedby", described.join(" "));
  else input.removeAttribute("aria-describedby");
}

/** Show a secret that nobody can read again; resolves once it was put away. */
export function shownOnce({ title, text, secret }) {
  return new Promise((resolve) => {
    const id = freshId("dialog");
    const input = h("input", { value: secret, readonly: true, class: "mono", "aria-label": "Shown this once" });
    const copy = async () => {
      await navigator.clipboard.writeText(secret);
      notify("It is on the clipboard");
    };
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, h("form", { method: "dialog" }, h("h2", { id }, title), h("p", { class: "quiet" }, text), input, h("div", { class: "actions" }, button("Copy", copy), h("button", { class: "button primary" }, "I have it"))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
    input.select();
  });
}
