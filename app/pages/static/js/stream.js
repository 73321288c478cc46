// Server-sent events over fetch, because EventSource cannot carry a token.

import { Problem, Unreachable, request } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/**
 * Follow a stream until it says `end`, taking it up again where it broke off. `heard({event, data, id})` is
 * called for every message, `connected(true or false)` when the stream opens and breaks. Raises Problem
 * where the service refuses the stream; returns when `signal` says so or the stream ended.
 */
export async function follow(url, heard, signal, connected = () => {}) {
  let last = null;
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      const headers = last === null ? {} : { "Last-Event-ID": last };
      const response = await request(url, { accept: "text/event-stream", headers, signal });
      if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) throw new Problem(404, { detail: "no stream here" });
      connected(true);
      wait = FIRST_WAIT_MS;
      for await (const message of messages(response.body)) {
        if (message.id !== null) last = message.id;
        heard(message);
        if (message.event === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
      if (!(error instanceof Problem || error instanceof Unreachable || error instanceof TypeError)) throw error;
    }
    connected(false);
    await pause(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** The messages of one response's body. */
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const message = parse(block);
        if (message) yield message;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** One block; null for a comment. */
function parse(block) {
  let event = "message";
  let id = null;
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    else if (name === "id") id = value;
    else if (name === "data") data.push(value);
  }
  return data.length ? { event, id, data: JSON.parse(data.join("\n")) } : null;
}

/** Resolves after so many milliseconds, or as soon as the signal says stop. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
