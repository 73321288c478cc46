// Parallel coordinates: an axis for each number or choice of a trial, a line for each trial across them.
//
// Drawn as lines of an ordinary chart: plotly's own kind makes code from text, which the page's policy refuses.

import { h } from "./dom.js";
import { brief, figure } from "./format.js";
import { axisStyle, colour, plain, plotly, token } from "./plotly.js";

const SHADES = 6;
const AXIS_PX = 110;
const SIDES_PX = 76;
// About, of small print.
const CHARACTER_PX = 6.5;
// So few different values stand beside their axis all.
const FEW = 4;

/**
 * `draw({axes, trials, better, best})`: `axes` are [{name, log, values}], one value a trial, the last axis that of the
 * goal; `trials` what each is called; `better` "lower" or "higher"; `best` the place of the one that counts as the best,
 * -1 for none. The better a trial, the stronger its line.
 */
export function parallel({ title, signal }) {
  const plot = h("div", { class: "plot", role: "img", "aria-label": title });
  const element = h("figure", { class: "card chart wide" }, h("h2", {}, title), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, plot));
  let last = null;
  document.addEventListener("themechange", () => last && draw(last), { signal });
  signal.addEventListener("abort", () => globalThis.Plotly?.purge(plot));

  async function draw(wanted) {
    last = wanted;
    const { axes, trials } = wanted;
    const order = ranked(wanted);
    plot.setAttribute("aria-label", [`${title}. ${trials.length} trials`, ...(wanted.best < 0 ? [] : [`the best, ${trials[wanted.best]}: ${axes.map((axis) => `${axis.name} ${said(axis.values[wanted.best])}`).join(", ")}`])].join("; "));
    plot.style.minWidth = `${AXIS_PX * axes.length}px`;
    const library = await plotly();
    if (signal.aborted || wanted !== last) return;
    const scales = axes.map(scaleOf);
    await library.react(plot, lines(wanted, scales, order), layout(axes, scales, plot.clientWidth), { displayModeBar: false, responsive: true });
  }

  return { element, draw };
}

/** The trials' places but that of the best, the better ones first. */
function ranked({ axes, better, best }) {
  const goal = axes.at(-1).values;
  const others = [...goal.keys()].filter((place) => place !== best);
  return others.sort((one, other) => (better === "lower" ? goal[one] - goal[other] : goal[other] - goal[one]));
}

/** Where each value lies from 0 to 1, and what stands beside the axis there: {at, ticks: [[place, text]]}. */
export function scaleOf({ values, log }) {
  if (values.every((value) => typeof value === "number")) {
    const known = [...new Set(values)].sort((one, other) => one - other);
    const [low, high] = [known[0], known.at(-1)];
    if (low === high) return { at: () => 0.5, ticks: [[0.5, said(low)]] };
    const at = log ? (value) => Math.log(value / low) / Math.log(high / low) : (value) => (value - low) / (high - low);
    const told = known.length <= FEW ? known : [low, log ? Math.sqrt(low * high) : (low + high) / 2, high];
    return { at, ticks: told.map((value) => [at(value), said(value)]) };
  }
  const known = [...new Set(values.map((value) => JSON.stringify(value)))].sort();
  const place = new Map(known.map((text, number) => [text, known.length > 1 ? number / (known.length - 1) : 0.5]));
  return { at: (value) => place.get(JSON.stringify(value)), ticks: known.map((text) => [place.get(text), said(JSON.parse(text))]) };
}

/** As much of a pointer's end, which tells most of it, as so many characters hold: whole steps where one fits. */
export function shortened(name, most) {
  if (name.length <= most) return name;
  const end = name.slice(1 - most);
  const step = end.indexOf("/");
  return `…${step < 0 ? end : end.slice(step)}`;
}

function said(value) {
  return typeof value === "number" ? figure(value) : brief(value, 16);
}

/** Trials of about the same rank are one line with gaps: a thousand lines would be slow. The best is drawn last. */
function lines({ axes, trials, best }, scales, order) {
  const trace = (members) => ({
    type: "scatter",
    x: members.flatMap(() => [...axes.keys(), null]),
    y: members.flatMap((trial) => [...axes.map((axis, number) => scales[number].at(axis.values[trial])), null]),
    text: members.flatMap((trial) => [...axes.map((axis) => `${trials[trial]}<br>${axis.name}: ${said(axis.values[trial])}`), null]),
    hovertemplate: "%{text}<extra></extra>",
    connectgaps: false,
  });
  const size = Math.ceil(order.length / SHADES);
  const shades = [...Array(SHADES).keys()].map((shade) => order.slice(shade * size, (shade + 1) * size)).filter((members) => members.length);
  const others = shades.map((members, shade) => ({ ...trace(members), mode: "lines", line: { color: colour(0), width: 1.5 }, opacity: 0.8 - (0.65 * shade) / SHADES }));
  const one = best < 0 ? [] : [{ ...trace([best]), mode: "lines+markers", line: { color: colour(1), width: 3 } }];
  return [...others.reverse(), ...one];
}

function layout(axes, scales, width) {
  const style = axisStyle();
  // The first name begins at its axis, the others have theirs in their middle.
  const most = Math.min(24, Math.floor((2 * (width - SIDES_PX)) / (3 * (axes.length - 1) * CHARACTER_PX)));
  const label = { showarrow: false, xanchor: "left", xshift: 4, font: { size: 11, color: token("--quiet") }, bgcolor: token("--surface"), borderpad: 1 };
  return {
    ...plain(),
    margin: { l: 12, r: SIDES_PX - 12, t: 28, b: 8 },
    hovermode: "closest",
    dragmode: false,
    xaxis: { ...style, range: [-0.05, axes.length - 1 + 0.05], tickvals: [...axes.keys()], showticklabels: false, gridcolor: token("--edge"), fixedrange: true },
    yaxis: { ...style, range: [-0.06, 1.06], showgrid: false, showticklabels: false, fixedrange: true },
    annotations: [
      ...scales.flatMap(({ ticks }, x) => ticks.map(([y, text]) => ({ ...label, x, y, text }))),
      ...axes.map((axis, x) => ({ x, y: 1, yref: "paper", yanchor: "bottom", xanchor: x === 0 ? "left" : "center", showarrow: false, text: shortened(axis.name, most), hovertext: axis.name, font: { size: 11, color: token("--ink") } })),
    ],
  };
}
