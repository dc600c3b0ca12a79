// What is chosen, in the page and in the URL's hash, so that a view can be sent.

import { about, K } from "./data.js";
import { say } from "./dom.js";

// Vectors in the order of the control: by the first weight, then by the next.
export const vectors = [...about.vectors].sort((a, b) => {
  const k = a.findIndex((_, i) => a[i] !== b[i]);
  return k < 0 ? 0 : a[k] - b[k];
});

// What prompts can be ordered by (measures.js).
export const ORDERS = [
  "data", "disagree", "same", "change", "best", "worst",
  ...about.objectives.flatMap((name) => [`best ${name}`, `worst ${name}`]),
];

// w: a place in `vectors`. prompt: a place in about.prompts. seed: a place, or null for all. of: a run, or
// null for the mean of those shown.
export const state = start();

function start() {
  const even = vectors.map((w) => Math.max(...w));
  return {
    w: even.indexOf(Math.min(...even)),
    prompt: 0,
    seed: about.seeds.length > 1 ? null : 0,
    by: 0,
    shown: about.runs.map(() => true),
    x: 0,
    y: 1,
    sort: "data",
    of: null,
    find: "",
  };
}

export const chosen = () => vectors[state.w];
export const seeds = () => (state.seed === null ? about.seeds.map((_, i) => i) : [state.seed]);
export const shownRuns = () => about.runs.map((_, i) => i).filter((i) => state.shown[i]);

// The vector nearest to w, and how far it is.
export function nearest(w, among) {
  const far = among.map((v) => Math.hypot(...v.map((x, k) => x - w[k])));
  const least = Math.min(...far);
  return { place: far.indexOf(least), far: least };
}

// Which of its own vectors a run is shown at.
export const vectorOf = (run) => nearest(chosen(), about.runs[run].vectors);

// Views are drawn again when something that they name has changed: once per frame.
const views = [];
let changed = new Set();

export function view(names, draw) {
  views.push({ names: names.split(" "), draw });
}

export function update(changes) {
  Object.assign(state, changes);
  if (changed.size === 0) requestAnimationFrame(redraw);
  Object.keys(changes).forEach((name) => changed.add(name));
  setTimeout(writeHash, 200); // browsers limit how often a page may change its address
}

export function redraw() {
  const due = changed;
  changed = new Set();
  views.filter(({ names }) => names.some((name) => due.has(name))).forEach(({ draw }) => draw());
}

export function redrawAll() {
  Object.keys(state).forEach((name) => changed.add(name));
  redraw();
}

// How each choice is written in the hash, and read from there: undefined if the page has no such thing.
const place = (found) => (found < 0 ? undefined : found);
const objective = {
  write: (k) => about.objectives[k],
  read: (text) => place(about.objectives.indexOf(text)),
};
const names = about.runs.map((run) => run.name);
const forms = {
  w: { write: (i) => vectors[i].join(","), read: readVector },
  prompt: {
    write: (i) => String(about.prompts[i].id),
    read: (text) => place(about.prompts.findIndex((p) => String(p.id) === text)),
  },
  seed: {
    write: (i) => (i === null ? "all" : String(about.seeds[i])),
    read: (text) => (text === "all" ? null : place(about.seeds.findIndex((s) => String(s) === text))),
  },
  by: {
    write: (i) => about.by[i].name,
    read: (text) => place(about.by.findIndex((b) => b.name === text)),
  },
  shown: {
    write: (shown) => names.filter((_, i) => shown[i]).join(","),
    read: (text) => {
      const wanted = text === "" ? [] : text.split(",");
      return wanted.every((name) => names.includes(name))
        ? names.map((name) => wanted.includes(name))
        : undefined;
    },
  },
  x: objective,
  y: objective,
  sort: { write: String, read: (text) => (ORDERS.includes(text) ? text : undefined) },
  of: { write: (i) => names[i], read: (text) => place(names.indexOf(text)) },
  find: { write: String, read: String },
};

function readVector(text) {
  const w = text.split(",").map(Number);
  if (w.length !== K || w.some(Number.isNaN)) return undefined;
  const { place, far } = nearest(w, vectors);
  if (far > 1e-6) say(`w = ${text} was not evaluated: this is the nearest that was.`);
  return place;
}

function writeHash() {
  const usual = start();
  const words = new URLSearchParams();
  for (const [name, form] of Object.entries(forms)) {
    if (String(state[name]) !== String(usual[name])) words.set(name, form.write(state[name]));
  }
  const hash = `#${words}`;
  if (hash !== location.hash && hash + location.hash !== "#") history.replaceState(null, "", hash);
}

export function readHash() {
  say("");
  Object.assign(state, start());
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
    const value = Object.hasOwn(forms, name) ? forms[name].read(text) : undefined;
    if (value === undefined) say(`This page has no ${name} “${text}”, which the link names.`);
    else state[name] = value;
  }
}
