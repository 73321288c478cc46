// plotly.js, which the service's own package ships: loaded when the first chart is drawn, in the page's colours.

import { h } from "./dom.js";

let library = null;

export function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = h("script", { src: new URL("../plotly.min.js", import.meta.url).href });
    script.addEventListener("load", () => resolve(globalThis.Plotly));
    script.addEventListener("error", () => {
      library = null;
      reject(new Error("the chart library could not be loaded"));
    });
    document.head.append(script);
  });
  return library;
}

/** The colour of the n-th series, in the present theme. */
export function colour(index) {
  return token(`--series-${(index % 8) + 1}`);
}

export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The layout that all charts share. */
export function plain() {
  return {
    uirevision: "kept",
    showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: token("--quiet"), size: 12 },
    hoverlabel: { bgcolor: token("--surface"), bordercolor: token("--line"), font: { color: token("--ink") } },
  };
}

export function axisStyle() {
  return { gridcolor: token("--grid"), linecolor: token("--line"), zeroline: false, tickfont: { size: 11 } };
}
