// Tables of few rows, which become lists of facts where the screen is small.

import { h, keyed } from "./dom.js";

/** A table: `columns` are [title, (item) => content, "number"?], one row an item. */
export function table(caption, columns, items) {
  return h(
    "table",
    { class: "stacked" },
    h("caption", { class: "hidden-text" }, caption),
    h("thead", {}, h("tr", {}, columns.map(([title, , kind]) => h("th", { scope: "col", class: kind }, title)))),
    h("tbody", {}, items.map((item) => h("tr", {}, columns.map(([title, content, kind]) => h("td", { class: kind, data: { title } }, h("div", {}, content(item))))))),
  );
}

/** Terms and what they are: [[term, content]]; what is null is left out. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, content]) => content !== null && content !== undefined && content !== "").map(([term, content]) => h("div", {}, h("dt", {}, term), h("dd", {}, content))));
}

/** A table of `table`'s kind that follows its items: a cell is made anew only where it would look different. */
export function liveTable(caption, columns, key) {
  const element = table(caption, columns, []);
  const body = element.querySelector("tbody");
  const row = (item) => table(caption, columns, [item]).querySelector("tbody > tr");
  return {
    element,
    update(items) {
      keyed(body, items, key, (first) => {
        const shown = row(first);
        const update = (now) => [...row(now).cells].forEach((cell, place) => cell.outerHTML === shown.cells[place].outerHTML || shown.cells[place].replaceWith(cell));
        return { element: shown, update };
      });
    },
  };
}
