// Elements without a framework. Text is always text: nothing here parses HTML.

const SVG = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "title"]);

/**
 * An element. Properties: `on` holds listeners, `data` data-attributes, `class` is the class; a function
 * or false, null and undefined leave an attribute out, true gives an empty one, `value` and `checked` are set as properties.
 */
export function h(tag, properties = {}, ...children) {
  const element = SVG.has(tag) && tag !== "title" ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, found] of Object.entries(value)) element.style.setProperty(key, found);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Children as nodes: nothing for null and false, text for anything that is not an element. */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Put `children` in the place of what `element` held; the same ones are not moved, and keep the focus. */
export function fill(element, ...children) {
  const wanted = nodes(children);
  const there = element.childNodes;
  if (wanted.length !== there.length || wanted.some((node, place) => node !== there[place])) element.replaceChildren(...wanted);
  return element;
}

/** Set an element's text, touching the document only where it changes: screen readers hear every touch. */
export function say(element, text) {
  const wanted = text === null || text === undefined ? "" : String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Set an attribute, touching the document only where it changes; null takes it away. */
export function mark(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

const kept = new WeakMap();

/**
 * Make `parent`'s children those of `items`, in order, keeping the elements of items that stay: focus,
 * selection and scroll survive. `make(item)` returns {element, update(item)}.
 */
export function keyed(parent, items, key, make) {
  for (const _ of placing(parent, items, key, make));
}

const SLICE_MS = 8;

/** The same for thousands of items: whoever reads or types meanwhile is not kept waiting. Ends early where `outdated()`. */
export async function keyedInSlices(parent, items, key, make, outdated) {
  let until = performance.now() + SLICE_MS;
  if (outdated()) return;
  for (const _ of placing(parent, items, key, make)) {
    if (performance.now() < until) continue;
    await new Promise((resolve) => setTimeout(resolve));
    if (outdated()) return;
    until = performance.now() + SLICE_MS;
  }
}

/**
 * Makes and updates one row after the other, new ones outside of the document, and then moves all that have to be
 * moved: with each frame in which a row is placed the whole list is laid out again.
 */
function* placing(parent, items, key, make) {
  const before = kept.get(parent) ?? new Map();
  const rows = new Map();
  for (const item of items) {
    const id = key(item);
    const row = before.get(id) ?? make(item);
    row.update(item);
    rows.set(id, row);
    yield;
  }
  for (const [id, row] of before) if (!rows.has(id)) row.element.remove();
  let place = parent.firstElementChild;
  for (const { element } of rows.values()) {
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  kept.set(parent, rows);
}

let number = 0;

/** An id that no other element has. */
export function freshId(stem) {
  number += 1;
  return `${stem}-${number}`;
}

/** A labelled field: the label's text, the input, and a hint below. */
export function field(label, input, hint) {
  input.id ||= freshId("field");
  if (hint) {
    const id = `${input.id}-hint`;
    input.setAttribute("aria-describedby", id);
    return h("div", { class: "field" }, h("label", { for: input.id }, label), input, h("p", { class: "hint", id }, hint));
  }
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input);
}

export function select(options, chosen, listener) {
  return h(
    "select",
    { on: listener ? { change: listener } : {} },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
}

export function button(text, listener, properties = {}) {
  return h("button", { type: "button", class: "button", ...properties, on: { click: listener } }, text);
}
