// The public API over fetch: JSON in and out, problems as errors, the token where there is one.

import { askToken, forget, token } from "./session.js";

/** An answer that is a problem document (RFC 9457); `errors` has its faults by JSON pointer. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the service answered ${status}`);
    this.name = "Problem";
    this.status = status;
    this.title = body.title ?? "Error";
    this.errors = body.errors ?? [];
    this.differences = body.differences ?? [];
  }
}

/** No answer at all: the service is stopped, or the network is away. */
export class Unreachable extends Error {
  constructor() {
    super("the service does not answer");
    this.name = "Unreachable";
  }
}

/** `/v1/jobs?status=running` from its parts; a list gives a parameter several times, and nothing none. */
export function path(base, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "") parameters.append(name, one);
  const text = parameters.toString();
  return text ? `${base}?${text}` : base;
}

/** The response of a request that succeeded. Raises Problem or Unreachable; asks for a token where one is needed. */
export async function request(url, { method = "GET", body, headers = {}, signal, accept = "application/json" } = {}) {
  for (;;) {
    const used = token();
    const response = await send(url, {
      method,
      signal,
      body,
      // The browser keeps what has an ETag, and asks whether it is still true.
      cache: "no-cache",
      headers: { Accept: accept, ...headers, ...(used ? { Authorization: `Bearer ${used}` } : {}) },
    });
    if (response.ok) return response;
    const problem = new Problem(response.status, await document_of(response));
    if (response.status !== 401) throw problem;
    if (used && used === token()) forget();
    const why = used ? "The service does not know the token that was used, or it has expired." : "This service answers only those who have a token.";
    if (!token() && !(await askToken(why))) throw problem;
  }
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

async function document_of(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}

export async function get(url, options) {
  return (await request(url, options)).json();
}

/** The same, or `otherwise` where there is no such resource. */
export async function getOr(otherwise, url, options) {
  try {
    return await get(url, options);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return otherwise;
    throw error;
  }
}

export async function text(url, options) {
  return (await request(url, { accept: "text/plain", ...options })).text();
}

/** Send JSON; resolves to the answer's document, or null where it has none. */
export async function send_json(method, url, document, { headers = {}, signal } = {}) {
  const body = document === undefined ? undefined : JSON.stringify(document);
  const sent = body === undefined ? headers : { "Content-Type": "application/json", ...headers };
  const response = await request(url, { method, body, headers: sent, signal });
  return response.status === 204 ? null : response.json();
}

/** Every item of a list, page after page, up to `most`. */
export async function all(url, query = {}, { most = 500, size = 500, signal } = {}) {
  const items = [];
  let page_token;
  do {
    const page = await get(path(url, { ...query, page_size: Math.min(most, size), page_token }), { signal });
    items.push(...page.items);
    page_token = page.next_page_token;
  } while (page_token && items.length < most);
  return items.slice(0, most);
}

/** Save a file. A link cannot carry a token, so with one the file is fetched first. */
export async function download(href, name) {
  const link = document.createElement("a");
  link.download = name;
  if (!token()) link.href = href;
  else link.href = URL.createObjectURL(await (await request(href, { accept: "*/*" })).blob());
  link.click();
  // The browser has taken it over by then.
  if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A URL that an <img> can show. With a token it must be revoked once shown. */
export async function picture(href, signal) {
  if (!token()) return href;
  return URL.createObjectURL(await (await request(href, { accept: "image/*", signal })).blob());
}
