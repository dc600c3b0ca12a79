// The front of every method, and on each the point of the chosen w.

import { about, K } from "./data.js";
import { byId, coloured, el, number, options, svg, weights } from "./dom.js";
import { marker } from "./runs.js";
import { nearest, shownRuns, state, update, vectorOf, vectors, view } from "./state.js";

const WIDTH = 420;
const HEIGHT = 330;
const EDGE = { left: 46, right: 10, top: 10, bottom: 40 };

// Points of a run, of all seeds or of one.
export const points = (run) => {
  const found = about.by[state.by].runs[run];
  return state.seed === null ? found.points : found.seeds[state.seed];
};

// Whole numbers, halves or the like, as many as there is room for.
export function ticks([low, high], most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => [(first + i) * step, digits]);
}

function limits(k) {
  const { runs, optimum } = about.by[state.by];
  const values = [
    ...runs.flatMap((run) => [run.points, ...run.seeds].flat().map((point) => point[k])),
    ...(optimum?.points ?? []).map((point) => point[k]),
  ];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = 0.06 * (high - low) || 1;
  return [low - margin, high + margin];
}

// What a line joins: of two objectives all points by w; of more those that no other beats in both shown.
function line(run, own) {
  const order = about.runs[run].vectors.map((w, i) => [w, own[i]]).sort(([a], [b]) => a[0] - b[0]);
  return K === 2 ? order.map(([, point]) => point) : projected(own);
}

function projected(own) {
  const ranked = [...own].sort((a, b) => b[state.x] - a[state.x] || b[state.y] - a[state.y]);
  let best = -Infinity;
  return ranked.filter((point) => point[state.y] > best && ((best = point[state.y]), true));
}

function draw() {
  const [xs, ys] = [limits(state.x), limits(state.y)];
  const inner = [WIDTH - EDGE.left - EDGE.right, HEIGHT - EDGE.top - EDGE.bottom];
  const x = (value) => EDGE.left + ((value - xs[0]) / (xs[1] - xs[0])) * inner[0];
  const y = (value) => EDGE.top + ((ys[1] - value) / (ys[1] - ys[0])) * inner[1];
  const at = (point) => [x(point[state.x]), y(point[state.y])];
  const path = (some) => `M${some.map(at).join("L")}`;

  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said() });
  plot.append(...axes(x, y, xs, ys));
  const { optimum } = about.by[state.by];
  if (optimum) {
    const best = K === 2 && optimum.front ? optimum.front : projected(optimum.points);
    plot.append(svg("path", { class: "optimum", d: path(best) }));
  }
  const shown = shownRuns().map((run) => ({ run, own: points(run), now: vectorOf(run).place }));
  for (const { run, own } of shown) {
    const look = about.runs[run];
    if (look.one_policy) plot.append(coloured(svg("path", { class: "front", d: path(line(run, own)) }), look.colour));
    own.forEach((point, v) => plot.append(dot(run, v, point, at(point))));
  }
  for (const { run, own, now } of shown) plot.append(...highlight(run, own[now], now, x, y));
  byId("front").replaceChildren(plot, table(shown));
}

function dot(run, v, point, at) {
  const w = about.runs[run].vectors[v];
  const node = marker(run, 3.2, { class: "dot", transform: `translate(${at})` });
  node.append(svg("title", {}, `${about.runs[run].label} at ${weights(w)}: ${point.map((r) => number(r)).join(", ")}`));
  node.addEventListener("click", () => update({ w: nearest(w, vectors).place }));
  return node;
}

// The chosen point, and its interval over prompts where the point is that of all seeds.
function highlight(run, point, v, x, y) {
  const { points_low: low, points_high: high } = about.by[state.by].runs[run];
  const [px, py] = [x(point[state.x]), y(point[state.y])];
  const bars = state.seed === null || about.seeds.length === 1
    ? `M${x(low[v][state.x])} ${py}H${x(high[v][state.x])}M${px} ${y(low[v][state.y])}V${y(high[v][state.y])}`
    : "";
  return [
    coloured(svg("path", { class: "interval", d: bars || "M0 0" }), about.runs[run].colour),
    marker(run, 7, { class: "now", transform: `translate(${px},${py})`, "data-run": about.runs[run].name }),
  ];
}

function axes(x, y, xs, ys) {
  const bottom = HEIGHT - EDGE.bottom;
  return [
    ...ticks(xs, 7).flatMap(([value, digits]) => [
      svg("path", { class: "grid", d: `M${x(value)} ${EDGE.top}V${bottom}` }),
      svg("text", { x: x(value), y: bottom + 14, "text-anchor": "middle" }, number(value, digits)),
    ]),
    ...ticks(ys, 6).flatMap(([value, digits]) => [
      svg("path", { class: "grid", d: `M${EDGE.left} ${y(value)}H${WIDTH - EDGE.right}` }),
      svg("text", { x: EDGE.left - 5, y: y(value) + 4, "text-anchor": "end" }, number(value, digits)),
    ]),
    svg("text", { x: (EDGE.left + WIDTH) / 2, y: HEIGHT - 6, "text-anchor": "middle", class: "axis" }, about.objectives[state.x]),
    svg("text", { transform: `translate(11,${bottom / 2}) rotate(-90)`, "text-anchor": "middle", class: "axis" }, about.objectives[state.y]),
  ];
}

const said = () => `Mean normalised rewards of each method under every w, ${about.objectives[state.x]} against ` +
  `${about.objectives[state.y]}; the points at the chosen w are large, and in the table below.`;

// The same points as numbers.
function table(shown) {
  const rows = shown.map(({ run, own, now }) => el("tr", {},
    el("th", { scope: "row" }, about.runs[run].label),
    el("td", {}, weights(about.runs[run].vectors[now])),
    ...own[now].map((value) => el("td", {}, number(value)))));
  const head = ["Method", "at w", ...about.objectives].map((text) => el("th", { scope: "col" }, text));
  const details = el("details", { open: open }, el("summary", {}, "The chosen points as a table"),
    el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows))));
  details.addEventListener("toggle", () => { open = details.open; });
  return details;
}
let open = false; // also after the plot is drawn anew

export function front() {
  const axis = (name, label) => {
    const select = el("select", { "aria-label": label });
    options(select, about.objectives.map((text, k) => [String(k), text]));
    const other = name === "x" ? "y" : "x";
    select.addEventListener("change", () => {
      const k = Number(select.value);
      update({ [name]: k, ...(state[other] === k ? { [other]: state[name] } : {}) });
    });
    view(name, () => { select.value = String(state[name]); });
    return select;
  };
  if (K > 2) byId("axes").append("Axes: ", axis("x", "Horizontal axis"), " and ", axis("y", "Vertical axis"));
  view("w by seed shown x y", draw);
}
