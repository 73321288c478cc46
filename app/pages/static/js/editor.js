// A place to write JSON in: lines have their numbers, and those where something is wrong are marked.

import { fill, h } from "./dom.js";
import { locate } from "./json_text.js";

/** {element, text, mark(pointers), line(pointer), point(pointer)}; `text` is the textarea, `changed()` is told of every change. */
export function editor({ label, describedby, changed }) {
  const numbers = h("div", { class: "line-numbers" });
  const text = h("textarea", { class: "editor", spellcheck: "false", autocomplete: "off", autocapitalize: "off", "aria-label": label, "aria-describedby": describedby, on: { input: changed, keydown: indent, scroll } });
  const element = h("div", { class: "editor-frame" }, h("div", { class: "gutter", "aria-hidden": "true" }, numbers), text);
  let shown = "";

  function scroll() {
    numbers.style.transform = `translateY(${-text.scrollTop}px)`;
  }

  function mark(pointers) {
    const count = text.value.split("\n").length;
    const wrong = new Set(pointers.map(line));
    const key = `${count} ${[...wrong]}`;
    if (wrong.size) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
    if (key === shown) return;
    shown = key;
    fill(numbers, Array.from({ length: count }, (_, index) => h("div", { class: wrong.has(index + 1) ? "wrong" : null }, String(index + 1))));
  }

  /** The number of the line, from 1, where what a pointer names begins. */
  function line(pointer) {
    return text.value.slice(0, locate(text.value, pointer)[0]).split("\n").length;
  }

  /** Select what a pointer names, so that it can be written over. */
  function point(pointer) {
    const [from, to] = locate(text.value, pointer);
    text.focus();
    text.setSelectionRange(from, to);
    text.scrollTop = Math.max(0, (line(pointer) - 6) * parseFloat(getComputedStyle(text).lineHeight));
  }

  return { element, text, mark, line, point };
}

/** Tab leaves the editor, as everywhere; Enter keeps the line's indentation. */
function indent(event) {
  if (event.key !== "Enter" || event.ctrlKey || event.isComposing) return;
  event.preventDefault();
  const { selectionStart: at, value } = event.target;
  const spaces = value.slice(value.lastIndexOf("\n", at - 1) + 1).match(/^ */)[0];
  event.target.setRangeText(`\n${spaces.slice(0, at)}`, at, event.target.selectionEnd, "end");
  event.target.dispatchEvent(new InputEvent("input"));
}
