// Who may use the service: tokens made, listed and revoked by administrators.

import { all, get, send_json } from "./api.js";
import { button, fill, h, select } from "./dom.js";
import { confirm, empty, guarded, perform } from "./feedback.js";
import { ask, shownOnce } from "./form.js";
import { ago, bytes, count, moment } from "./format.js";
import { table } from "./table.js";

const SCOPES = [["read", "read: look at everything"], ["submit", "submit: also submit, upload, and change what is its owner's"], ["admin", "admin: also change what is anybody's, and manage tokens"]];

export default async function tokens({ main, signal }) {
  const place = h("div", { class: "card flush" });
  const me = await get("/v1/me", { signal });

  async function look() {
    await guarded(place, async () => {
      const items = await all("/v1/tokens", {}, { most: 1000, signal });
      fill(place, items.length ? list(items) : empty("No token was made here.", h("p", {}, "While there is none, and the settings name none, only this machine may use the service, and needs none.")));
    }, { title: "The tokens could not be read", again: look });
  }

  function list(items) {
    return table(
      "Tokens, newest first",
      [
        ["Whose", (one) => [h("strong", {}, one.name), h("p", { class: "small quiet" }, one.id)]],
        ["May", (one) => one.scopes.map((scope) => h("span", { class: "tag" }, scope))],
        ["State", (one) => state(one)],
        ["Limits", (one) => h("span", { class: "small" }, limits(one).join(", ") || "none")],
        ["Last used", (one) => (one.last_used_at ? h("time", { datetime: one.last_used_at, title: moment(one.last_used_at) }, ago(one.last_used_at)) : "–")],
        ["Made", (one) => h("time", { datetime: one.created_at, title: moment(one.created_at) }, ago(one.created_at))],
        ["What may be done", (one) => !one.revoked_at && revoker(one)],
      ],
      items,
    );
  }

  function revoker(one) {
    const control = button("Revoke", async () => {
      const sure = await confirm({ title: `Revoke this token of ${one.name}?`, text: "It opens nothing from now on, and cannot be given back. Jobs that were submitted with it go on.", action: "Revoke it", danger: true });
      if (sure && (await perform(control, async () => (await send_json("DELETE", `/v1/tokens/${one.id}`), true), "The token is revoked"))) await look();
    }, { class: "button danger slim", "aria-label": `Revoke the token ${one.id} of ${one.name}` });
    return control;
  }

  async function make() {
    const input = (properties) => h("input", { autocomplete: "off", spellcheck: "false", ...properties });
    const name = input({});
    const scope = select(SCOPES, me.name === null ? "admin" : "submit");
    const expires = input({ type: "date" });
    const numbers = Object.fromEntries(["queued", "running", "bytes"].map((key) => [key, input({ inputmode: "numeric", placeholder: "no limit" })]));
    const rate = input({ inputmode: "numeric", placeholder: "no limit" });
    const made = await ask({
      title: "Make a token",
      text: me.name === null ? "It is the first: from then on the service asks everybody for one." : undefined,
      action: "Make it",
      fields: [
        ["/name", "Whose it is", name, "Letters, digits and _ . @ -; what is made with it is this owner's."],
        ["/scopes", "What it may", scope],
        ["/expires_at", "Ends on", expires, "Left out, it does not end by itself."],
        ["/quotas/queued", "Jobs that wait, at most", numbers.queued],
        ["/quotas/running", "Jobs that run, at most", numbers.running],
        ["/quotas/bytes", "Bytes on the volume, at most", numbers.bytes],
        ["/requests_per_minute", "Requests a minute, at most", rate],
      ],
      send: () => send_json("POST", "/v1/tokens", {
        name: name.value.trim(),
        scopes: [scope.value],
        expires_at: expires.value ? new Date(`${expires.value}T00:00:00`).toISOString() : null,
        quotas: Object.fromEntries(Object.entries(numbers).map(([key, found]) => [key, number(found.value)])),
        requests_per_minute: number(rate.value),
      }),
    });
    if (!made) return;
    await shownOnce({ title: `The token of ${made.name}`, text: "It is shown this once: the service keeps only its digest.", secret: made.token });
    await look();
  }

  await look();
  if (signal.aborted) return;
  fill(main, h("div", { class: "row apart" }, h("h1", {}, "Tokens"), button("Make a token", make, { class: "button primary" })), place);
}

function state(one) {
  if (one.revoked_at) return h("span", { class: "state", data: { state: "cancelled" }, title: moment(one.revoked_at) }, "revoked");
  if (one.expires_at && Date.parse(one.expires_at) <= Date.now()) return h("span", { class: "state", data: { state: "cancelled" } }, "expired");
  return [h("span", { class: "state", data: { state: "ready" } }, "valid"), one.expires_at && h("p", { class: "small quiet" }, "until ", moment(one.expires_at))];
}

function limits({ quotas, requests_per_minute }) {
  return [
    quotas.queued !== null && `${count(quotas.queued)} waiting`,
    quotas.running !== null && `${count(quotas.running)} running`,
    quotas.bytes !== null && bytes(quotas.bytes),
    requests_per_minute !== null && `${count(requests_per_minute)} requests a minute`,
  ].filter(Boolean);
}

/** Nothing is no limit; what is no number the service shall judge. */
function number(text) {
  if (!text.trim()) return null;
  const value = Number(text);
  return Number.isNaN(value) ? text.trim() : value;
}
