// Which methods are shown, with their markers and warnings; whose rewards, and which seed.

import { about } from "./data.js";
import { byId, coloured, el, options, svg } from "./dom.js";
import { state, update, view } from "./state.js";

// Outlines in a square from -1 to 1, by matplotlib's letters, as in the figures.
const OUTLINES = {
  o: "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z",
  s: "M-.9-.9H.9V.9H-.9Z",
  D: "M0-1.2L1.2 0L0 1.2L-1.2 0Z",
  "^": "M0-1L1 .9H-1Z",
  v: "M0 1L1-.9H-1Z",
  P: "M-.35-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35Z",
  X: "M0-.5L.5-1L1-.5L.5 0L1 .5L.5 1L0 .5L-.5 1L-1 .5L-.5 0L-1-.5L-.5-1Z",
  d: "M0-1.3L.7 0L0 1.3L-.7 0Z",
  "*": "M0-1.2L.35-.4H1.2L.5.15L.75 1L0 .5L-.75 1L-.5.15L-1.2-.4H-.35Z",
  "<": "M-1 0L.9-1V1Z",
  ">": "M1 0L-.9-1V1Z",
  p: "M0-1L.95-.31L.59.81H-.59L-.95-.31Z",
};

export function marker(run, size, attributes = {}) {
  const { colour, marker: letter, hollow } = about.runs[run];
  const kind = `marker${hollow ? " hollow" : ""} ${attributes.class ?? ""}`;
  const outline = svg("path", { d: OUTLINES[letter] ?? OUTLINES.o, ...attributes, class: kind });
  outline.setAttribute("transform", `${attributes.transform ?? ""} scale(${size})`);
  return coloured(outline, colour);
}

export function name(run) {
  const icon = svg("svg", { class: "icon", viewBox: "-7 -7 14 14", "aria-hidden": "true" }, marker(run, 5));
  return el("span", { class: "name" }, icon, about.runs[run].label);
}

export function runs() {
  const boxes = about.runs.map((run, i) => {
    const box = el("input", { type: "checkbox", value: run.name });
    box.addEventListener("change", () =>
      update({ shown: state.shown.map((was, j) => (i === j ? box.checked : was)) }));
    return box;
  });
  byId("runs").append(...boxes.map((box, i) => el("li", {}, el("label", {}, box, name(i)))));
  view("shown by", () => {
    boxes.forEach((box, i) => { box.checked = state.shown[i]; });
    byId("warnings").replaceChildren(...about.by[state.by].runs.flatMap((run, i) =>
      run.warnings.map((text) => el("li", {}, `${about.runs[i].label}: ${text}`))));
  });
  choice("by", about.by.map((by, i) => [String(i), by.name]), Number, String);
  const all = about.seeds.length > 1 ? [["", `all ${about.seeds.length}`]] : [];
  choice("seed", [...all, ...about.seeds.map((seed, i) => [String(i), String(seed)])],
    (text) => (text === "" ? null : Number(text)), (value) => String(value ?? ""));
  byId("by-label").hidden = about.by.length < 2;
  byId("seed-label").hidden = about.seeds.length < 2;
}

// A select of one part of the state. then: what else is done when someone chooses.
export function choice(id, choices, read, write, then = () => {}) {
  const select = byId(id);
  options(select, choices);
  select.addEventListener("change", () => {
    update({ [id]: read(select.value) });
    then();
  });
  view(id, () => { select.value = write(state[id]); });
}
