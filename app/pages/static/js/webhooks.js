// Who is told of changes of state, and what became of each message.

import { all, get, send_json } from "./api.js";
import { button, fill, h } from "./dom.js";
import { confirm, empty, guarded, perform } from "./feedback.js";
import { ask, shownOnce } from "./form.js";
import { ago, moment } from "./format.js";
import { STATES } from "./job_parts.js";
import { keepLooking } from "./live.js";
import { facts, table } from "./table.js";

const SHOWN = 200;
const TONES = { delivered: "succeeded", failed: "failed", pending: "queued" };

/** The list, or one webhook where the address names it. */
export default async function webhooks(context) {
  return context.words[0] ? one(context) : list(context);
}

async function list({ main, signal }) {
  const place = h("div", { class: "card flush" });

  async function look() {
    await guarded(place, async () => {
      const items = await all("/v1/webhooks", {}, { most: 500, signal });
      fill(place, items.length ? webhookTable(items) : empty("No webhook yet.", h("p", {}, "A webhook has a URL of yours told when a job changes its state.")));
    }, { title: "The webhooks could not be read", again: look });
  }

  await look();
  if (signal.aborted) return;
  fill(main, h("div", { class: "row apart" }, h("h1", {}, "Webhooks"), button("Add a webhook", add, { class: "button primary" })), place);
}

function webhookTable(items) {
  return table(
    "Webhooks, newest first",
    [
      ["URL", (one) => [h("a", { href: `#/webhooks/${one.id}` }, one.url), one.description && h("p", { class: "small quiet" }, one.description)]],
      ["State", badge],
      ["Told of", (one) => told(one)],
      ["Owner", (one) => one.owner ?? "–"],
      ["Made", (one) => h("time", { datetime: one.created_at, title: moment(one.created_at) }, ago(one.created_at))],
    ],
    items,
  );
}

function badge(one) {
  return [h("span", { class: "state", data: { state: one.enabled ? "ready" : "cancelled" } }, one.enabled ? "on" : "off"), one.disabled_because && h("p", { class: "small quiet" }, one.disabled_because)];
}

function told(one) {
  const events = one.events.includes("*") ? "every change" : one.events.map((event) => event.replace("job.", "")).join(", ");
  return [events, one.tag && [" of jobs tagged ", h("span", { class: "tag" }, one.tag)], one.job && [" of ", h("a", { href: `#/jobs/${one.job}` }, one.job)]];
}

async function add() {
  const input = (properties) => h("input", { autocomplete: "off", spellcheck: "false", ...properties });
  const url = input({ type: "url", placeholder: "https://…" });
  const boxes = STATES.map((state) => input({ type: "checkbox", value: `job.${state}` }));
  const events = h("fieldset", { class: "stack" }, h("legend", {}, "Told when a job is"), h("div", { class: "row" }, boxes.map((box, index) => h("label", { class: "choice" }, box, STATES[index]))), h("p", { class: "hint" }, "None chosen: all of them."));
  const tag = input({});
  const job = input({ placeholder: "job_…" });
  const description = input({});
  const made = await ask({
    title: "Add a webhook",
    action: "Add it",
    fields: [
      ["/url", "URL", url, "https, at a public address"],
      ["/events", "", events],
      ["/tag", "Only of jobs with this tag", tag],
      ["/job", "Only of this job", job],
      ["/description", "Description", description],
    ],
    send: () => {
      const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
      const texts = Object.entries({ tag, job, description }).map(([name, found]) => [name, found.value.trim()]);
      return send_json("POST", "/v1/webhooks", { url: url.value.trim(), ...(chosen.length ? { events: chosen } : {}), ...Object.fromEntries(texts.filter(([, value]) => value)) });
    },
  });
  if (!made) return;
  await shownOnce({ title: "What its messages are signed with", text: "It is shown this once. Whoever receives the messages needs it to know that they are from this service.", secret: made.secret });
  location.hash = `#/webhooks/${made.id}`;
}

async function one({ main, words: [id], signal }) {
  const head = h("div", { class: "stack" });
  const log = h("div", { class: "card flush" });
  const base = `/v1/webhooks/${id}`;
  let webhook = await get(base, { signal });
  let shown = null;
  let pending = false;

  async function look() {
    await guarded(log, async () => {
      webhook = await get(base, { signal });
      const items = await all(`${base}/deliveries`, {}, { most: SHOWN, signal });
      pending = items.some((sent) => sent.status === "pending");
      const now = JSON.stringify([webhook, items]);
      if (now === shown) return;
      shown = now;
      fill(head, heading(), facts([["Told of", told(webhook)], ["Owner", webhook.owner], ["Description", webhook.description], ["Made", moment(webhook.created_at)], ["Off because", webhook.disabled_because]]));
      fill(log, items.length ? deliveryTable(items) : empty("Nothing was sent yet.", h("p", {}, "A test shows whether messages arrive.")));
    }, { title: "This webhook could not be read", again: look });
  }

  function heading() {
    const test = button("Send a test", async () => (await perform(test, () => send_json("POST", `${base}/test`), "A test is on its way")) && look());
    const change = button(webhook.enabled ? "Switch off" : "Switch on", async () => (await perform(change, () => send_json("PATCH", base, { enabled: !webhook.enabled }), webhook.enabled ? "It is told of nothing any more" : "It is told again")) && look());
    const remove = button("Delete", async () => {
      const sure = await confirm({ title: "Delete this webhook?", text: "What was still to be sent is not.", action: "Delete it", danger: true });
      if (sure && (await perform(remove, async () => (await send_json("DELETE", base), true), "The webhook is deleted"))) location.hash = "#/webhooks";
    }, { class: "button danger" });
    return h("div", { class: "row apart" }, h("div", { class: "row" }, h("h1", { class: "long" }, webhook.url), badge(webhook)), h("div", { class: "row" }, test, change, remove));
  }

  function deliveryTable(items) {
    return table(
      "Messages, newest first",
      [
        ["Message", (sent) => [h("strong", {}, sent.type), sent.job && h("p", { class: "small" }, h("a", { href: `#/jobs/${sent.job}` }, sent.job))]],
        ["State", (sent) => [h("span", { class: "state", data: { state: TONES[sent.status] } }, sent.status), sent.error && h("p", { class: "small quiet" }, sent.error)]],
        ["Answer", (sent) => (sent.response_status ? String(sent.response_status) : "–"), "number"],
        ["Attempts", (sent) => String(sent.attempts), "number"],
        ["When", (sent) => [h("time", { datetime: sent.created_at, title: moment(sent.created_at) }, ago(sent.created_at)), sent.next_at && h("p", { class: "small quiet" }, "next attempt ", moment(sent.next_at))]],
        ["What was sent", (sent) => h("details", {}, h("summary", { class: "small" }, "Body"), h("pre", { class: "small" }, pretty(sent.payload)))],
        ["What may be done", (sent) => again(sent)],
      ],
      items,
    );
  }

  function again(sent) {
    const control = button("Send again", async () => (await perform(control, () => send_json("POST", `${base}/deliveries/${encodeURIComponent(sent.id)}/redeliver`), "It is sent again")) && look(), { class: "button slim", "aria-label": `Send ${sent.id} again` });
    return control;
  }

  await look();
  if (signal.aborted) return;
  fill(main, head, h("h2", {}, "Messages"), log);
  keepLooking({ look, moving: () => pending, signal });
}

function pretty(payload) {
  return JSON.stringify(JSON.parse(payload), null, 2);
}
