// The bearer token: asked for once, kept for this tab, sent with every request.

import { button, field, h } from "./dom.js";

const KEY = "cntk-jobs.token";
let asking = null;
let declined = false;

export function token() {
  return sessionStorage.getItem(KEY);
}

export function forget() {
  sessionStorage.removeItem(KEY);
  document.dispatchEvent(new Event("tokenchange"));
}

/** Who said “not now” is asked again only after doing something that needs a token. */
export function mayAsk() {
  declined = false;
}

/** Ask for a token; resolves to whether one was given. Callers that ask meanwhile share the question. */
export async function askToken(why) {
  if (declined) return false;
  asking ??= show(why).finally(() => {
    asking = null;
  });
  const given = await asking;
  declined = !given;
  return given;
}

function show(why) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true, name: "token" });
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "token-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "token-title" }, "A token is needed"),
        h("p", { class: "quiet" }, why),
        field("Token", input, "It is kept for this tab only, and forgotten when the tab is closed."),
        h(
          "div",
          { class: "actions" },
          button("Not now", () => dialog.close("")),
          h("button", { class: "button primary", value: "given" }, "Use it"),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "given" && input.value.trim() !== "";
      if (given) {
        sessionStorage.setItem(KEY, input.value.trim());
        document.dispatchEvent(new Event("tokenchange"));
      }
      dialog.remove();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
