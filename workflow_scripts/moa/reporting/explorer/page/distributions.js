// How each method's rewards are distributed at the chosen w, over prompts and seeds.

import { about, cell, reward } from "./data.js";
import { byId, coloured, el, number, svg } from "./dom.js";
import { name } from "./runs.js";
import { seeds, shownRuns, state, vectorOf, view } from "./state.js";

const WIDTH = 120;
const HEIGHT = 26;
const BINS = 40;

// Of all methods and vectors, so that curves can be followed while w moves.
const limitsBy = about.by.map((_, by) => about.objectives.map((_, k) => {
  const values = about.runs.flatMap((run, r) => run.vectors.flatMap((_, v) =>
    about.seeds.flatMap((_, s) => about.prompts.map((_, p) => reward(by, cell(r, s, v, p), k)))));
  values.sort((a, b) => a - b);
  const [low, high] = [values[Math.floor(values.length * 0.001)], values[Math.ceil(values.length * 0.999) - 1]];
  const margin = 0.02 * (high - low) || 1;
  return [low - margin, high + margin];
}));

function rewardsOf(run, k) {
  const v = vectorOf(run).place;
  return seeds().flatMap((s) => about.prompts.map((_, p) => reward(state.by, cell(run, s, v, p), k)));
}

function curve(values, [low, high]) {
  const bins = new Array(BINS).fill(0);
  const bin = (value) => Math.floor(((value - low) / (high - low)) * BINS);
  for (const value of values) bins[Math.min(BINS - 1, Math.max(0, bin(value)))] += 1;
  const top = Math.max(...bins);
  const step = WIDTH / BINS;
  return `M0 ${HEIGHT}${bins.map((n) => `V${HEIGHT - (n / top) * (HEIGHT - 3)}h${step}`).join("")}V${HEIGHT}Z`;
}

function one(run, k) {
  const values = rewardsOf(run, k);
  const limits = limitsBy[state.by][k];
  const x = (value) => Math.min(WIDTH, Math.max(0, ((value - limits[0]) / (limits[1] - limits[0])) * WIDTH));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const v = vectorOf(run).place;
  const own = seeds().map((s) => reward(state.by, cell(run, s, v, state.prompt), k));
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 4}`, "aria-hidden": "true" },
    svg("path", { class: "area", d: curve(values, limits) }),
    svg("path", { class: "zero", d: `M${x(0)} 0V${HEIGHT}` }),
    svg("path", { class: "mean", d: `M${x(mean)} 0V${HEIGHT}` }),
    ...own.map((value) => svg("circle", { class: "own", cx: x(value), cy: HEIGHT + 1, r: 2.6 })));
  const text = `${number(mean)} ± ${number(deviation)}`;
  return coloured(el("td", {}, plot, el("span", { class: "small" }, text)), about.runs[run].colour);
}

function draw() {
  const head = ["Method", ...about.objectives].map((text) => el("th", { scope: "col" }, text));
  const rows = shownRuns().map((run) => el("tr", {},
    el("th", { scope: "row" }, name(run)), ...about.objectives.map((_, k) => one(run, k))));
  const how = "Mean ± standard deviation over prompts and seeds; a line at 0, a dot for the chosen prompt. " +
    "The outermost bars hold what lies beyond.";
  byId("distributions").replaceChildren(el("table", { class: "distributions" },
    el("caption", { class: "small" }, how),
    el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
}

export function distributions() {
  view("w by seed shown prompt", draw);
}
