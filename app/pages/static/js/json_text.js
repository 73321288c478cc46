// JSON as text and as a tree: where a pointer's value stands in a text, every leaf, and merge patches.

/** Start and end of the value that `pointer` names within JSON `text`; of the nearest one above it where it is missing. */
export function locate(text, pointer) {
  const wanted = pointer.split("/").slice(1).map((word) => word.replaceAll("~1", "/").replaceAll("~0", "~"));
  let at = 0;
  const space = () => {
    while (" \t\r\n".includes(text[at]) && at < text.length) at += 1;
  };
  const string = () => {
    const start = at;
    at += 1;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at += 1;
    return JSON.parse(text.slice(start, at));
  };
  /** Pass one value; returns its place, or that of what is wanted inside of it. */
  const value = (depth, onWay) => {
    space();
    const start = at;
    let found = null;
    const inside = (key) => {
      const here = value(depth + 1, onWay && wanted[depth] === key);
      if (onWay && wanted[depth] === key) found = here;
    };
    if (text[at] === "{" || text[at] === "[") {
      const list = text[at] === "[";
      at += 1;
      space();
      for (let index = 0; at < text.length && text[at] !== "}" && text[at] !== "]"; index += 1) {
        let key = String(index);
        if (!list) {
          key = string();
          space();
          at += 1;
        }
        inside(key);
        space();
        if (text[at] === ",") at += 1;
        space();
      }
      at += 1;
    } else if (text[at] === '"') string();
    else while (at < text.length && !",]} \t\r\n".includes(text[at])) at += 1;
    return found ?? [start, at];
  };
  return value(0, true);
}

/** Every leaf of a document as [pointer, value]; empty lists and objects are leaves. */
export function flat(document, pointer = "") {
  if (document === null || typeof document !== "object" || Object.keys(document).length === 0) return [[pointer, document]];
  return Object.entries(document).flatMap(([key, value]) => flat(value, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`));
}

/** The merge patch (RFC 7396) that makes `after` of `before`; undefined where they are equal. */
export function mergePatch(before, after) {
  if (JSON.stringify(before) === JSON.stringify(after)) return undefined;
  if (!plain(before) || !plain(after)) return after;
  const patch = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const change = key in before ? mergePatch(before[key], value) : value;
    if (change !== undefined) patch[key] = change;
  }
  return patch;
}

function plain(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
