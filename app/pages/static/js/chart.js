// Line charts: losses, metrics, whatever goes along an axis.

import { fill, h } from "./dom.js";
import { figure } from "./format.js";
import { axisStyle, colour, plain, plotly } from "./plotly.js";

/**
 * A chart with a heading and a legend whose entries switch series off and on.
 *
 * `draw({series, log, floor, logX, x})` shows [{name, x, y, colour, faint, markers, points, texts, low, high}]: `colour` is a
 * number of the palette, `low` and `high` make a band; with `floor` the axis begins at nought. `zoomed(range)` is
 * told when somebody zooms along x, and `zoom(range)` does the same from outside, null for all.
 */
export function chart({ title, large = false, zoomed = () => {}, signal }) {
  const plot = h("div", { class: "plot", role: "img", "aria-label": title });
  const legend = h("ul", { class: "legend-list", "aria-label": `Series of ${title}` });
  const element = h("figure", { class: `card chart${large ? " large" : ""}` }, h("h2", {}, title), legend, plot);
  const off = new Set();
  let last = null;
  let range = null;
  let ready = null;
  document.addEventListener("themechange", () => last && draw(last), { signal });
  signal.addEventListener("abort", () => ready && globalThis.Plotly.purge(plot));

  function switcher(one) {
    const swatch = h("span", { class: `swatch`, style: { "--colour": colour(one.colour) } });
    const button = h("button", { type: "button", "aria-pressed": String(!off.has(one.name)) }, swatch, one.name);
    button.addEventListener("click", () => {
      if (!off.delete(one.name)) off.add(one.name);
      draw(last);
      legend.querySelectorAll("button")[last.series.findIndex((found) => found.name === one.name)]?.focus();
    });
    return h("li", {}, button);
  }

  async function draw(wanted) {
    last = wanted;
    const names = wanted.series.map((one) => `${one.name} ${off.has(one.name)} ${colour(one.colour)}`).join();
    if (legend.dataset.shown !== names) {
      legend.dataset.shown = names;
      fill(legend, wanted.series.map(switcher));
    }
    plot.setAttribute("aria-label", `${title}. ${wanted.series.map(spoken).join("; ")}`);
    const library = await plotly();
    if (signal.aborted || wanted !== last) return;
    const traces = wanted.series.filter((one) => !off.has(one.name)).flatMap(lines);
    await library.react(plot, traces, layout(wanted, range), { displayModeBar: false, responsive: true, doubleClick: false });
    if (ready) return;
    ready = true;
    plot.on("plotly_relayout", (change) => {
      if (change["xaxis.range[0]"] !== undefined) zoomed([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
    });
    plot.on("plotly_doubleclick", () => zoomed(null));
  }

  return {
    element,
    draw,
    zoom(wanted) {
      range = wanted;
      if (last) draw({ ...last });
    },
  };
}

/** What a series comes to, for those who hear it. */
function spoken(one) {
  const values = one.y.filter((value) => value !== null);
  return values.length ? `${one.name}: ${figure(values[0])} at first, ${figure(values.at(-1))} at last` : `${one.name}: nothing yet`;
}

function lines(one) {
  const stroke = colour(one.colour);
  const line = {
    x: one.x,
    y: one.y,
    name: one.name,
    type: "scatter",
    mode: one.points ? "markers" : one.markers && one.x.length <= 60 ? "lines+markers" : "lines",
    text: one.texts,
    line: { color: stroke, width: one.faint ? 1 : 2 },
    marker: { size: one.points ? 8 : 4, color: stroke },
    opacity: one.faint ? 0.6 : 1,
    hovertemplate: one.texts ? "%{text}: %{y:.5g} at %{x:.5g}<extra></extra>" : "%{y:.5g}",
  };
  if (!one.low) return [line];
  const band = { x: one.x, type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip", connectgaps: false };
  return [{ ...band, y: one.low }, { ...band, y: one.high, fill: "tonexty", fillcolor: translucent(stroke) }, line];
}

/** A hexadecimal colour with little cover. */
function translucent(hex) {
  return `${hex}24`;
}

function layout({ series, log, floor, logX, x }, range) {
  const axis = { ...axisStyle(), automargin: true };
  return {
    ...plain(),
    margin: { l: 48, r: 8, t: 6, b: 36 },
    hovermode: series.some((one) => one.points) ? "closest" : "x unified",
    dragmode: "zoom",
    xaxis: { ...axis, type: logX ? "log" : "linear", title: { text: x, font: { size: 11 }, standoff: 6 }, rangemode: "tozero", ...(range ? { range: [...range], autorange: false } : { autorange: true }) },
    yaxis: { ...axis, type: log ? "log" : "linear", fixedrange: true, exponentformat: "power", rangemode: floor ? "tozero" : "normal", ...(log ? { nticks: 6 } : {}) },
  };
}

/** Exponentially smoothed values, the beginning set right; gaps stay gaps. */
export function smoothed(values, weight) {
  if (weight <= 0) return values;
  let mean = 0;
  let share = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return mean / share;
  });
}
