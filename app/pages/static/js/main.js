// Which place is shown: the part of the address behind #, e.g. #/jobs/job_…/logs?attempt=2.

import { button, fill, h } from "./dom.js";
import { get } from "./api.js";
import { guarded } from "./feedback.js";
import { forget, mayAsk, token } from "./session.js";
import compare from "./compare.js";
import datasets from "./datasets.js";
import job from "./job.js";
import jobs from "./jobs.js";
import models from "./models.js";
import submit from "./submit.js";
import sweeps from "./sweeps.js";
import tokens from "./tokens.js";
import webhooks from "./webhooks.js";
import workers from "./workers.js";

const PLACES = [
  ["jobs", "Jobs", jobs],
  ["submit", "Submit", submit],
  ["compare", "Compare", compare],
  ["sweeps", "Sweeps", sweeps],
  ["datasets", "Data sets", datasets],
  ["models", "Models", models],
  ["workers", "Workers", workers],
  ["webhooks", "Webhooks", webhooks],
  ["tokens", "Tokens", tokens],
];

const main = document.querySelector("main");
let leave = new AbortController();
let before = null;
let change = null;

/** Where the address points: the words between slashes, and the query. */
function address() {
  const [route, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { words: route.split("/").map(decodeURIComponent), query: new URLSearchParams(query) };
}

async function show() {
  const { words, query } = address();
  const [place = "jobs", ...rest] = words[0] ? words : ["jobs"];
  const here = [place, rest[0] ?? ""].join("/");
  // A job's own parts change without the page around them being made anew.
  if (before === here && change) return void change(rest, query);
  mayAsk();
  leave.abort();
  leave = new AbortController();
  const [name, title, view] = PLACES.find(([known]) => known === place) ?? PLACES[0];
  for (const link of document.querySelectorAll(".places a"))
    if (link.dataset.place === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.title = `${title} · CNTK jobs`;
  if (before !== null && before !== here) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  before = here;
  change = null;
  const { signal } = leave;
  const shown = name === "jobs" && rest[0] ? job : view;
  const work = async () => {
    const changes = await shown({ main, words: rest, query, signal });
    if (!signal.aborted) change = changes ?? null;
  };
  await guarded(main, work, { title: "This page could not be shown", again: show });
}

function frame() {
  fill(
    document.querySelector(".places"),
    PLACES.map(([name, title]) => h("a", { href: `#/${name}`, data: { place: name }, hidden: name === "tokens" }, title)),
  );
  const theme = button("", () => globalThis.theme.toggle(), { class: "button plain" });
  const label = () => {
    const dark = document.documentElement.dataset.theme === "dark";
    theme.textContent = dark ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Show in ${dark ? "light" : "dark"} colours`);
  };
  document.addEventListener("themechange", label);
  label();
  const out = button("Forget token", () => (forget(), location.reload()), { class: "button plain" });
  const tools = () => fill(document.querySelector(".top-tools"), theme, h("a", { href: "/docs", class: "button plain" }, "API"), token() && out);
  document.addEventListener("tokenchange", tools);
  tools();
}

/** Tokens are for those who may manage them. */
async function offerTokens() {
  const me = await get("/v1/me").catch(() => null);
  document.querySelector(".places [data-place=tokens]").hidden = me?.scope !== "admin";
}

frame();
document.addEventListener("tokenchange", offerTokens);
offerTokens();
addEventListener("hashchange", show);
show();
