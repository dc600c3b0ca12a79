// The test prompts: searched, ordered, one of them chosen. One stop of the Tab key; arrows go through it.

import { about } from "./data.js";
import { byId, el, number, quoted } from "./dom.js";
import { found, labels, lacking } from "./measures.js";
import { choice } from "./runs.js";
import { state, update, view } from "./state.js";

let listed = []; // places in about.prompts
const list = byId("prompts");

function draw() {
  const rows = found();
  listed = rows.map(({ prompt }) => prompt);
  list.replaceChildren(...rows.map(({ prompt, number: value }) => {
    const text = quoted("span", about.prompts[prompt].text);
    const measure = value === null ? null : el("span", { class: "number" }, number(value));
    return el("li", { id: `prompt-${prompt}`, role: "option" }, text, measure);
  }));
  const some = rows.length === about.prompts.length ? "" : ` of ${about.prompts.length}`;
  const lacks = lacking();
  byId("count").textContent = `(${rows.length}${some}${lacks ? `; as in the data, for this order ${lacks}` : ""})`;
  mark();
}

function mark() {
  list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
  const chosen = byId(`prompt-${state.prompt}`);
  if (!chosen) return list.removeAttribute("aria-activedescendant");
  chosen.setAttribute("aria-selected", "true");
  list.setAttribute("aria-activedescendant", chosen.id);
  const [top, bottom] = [chosen.offsetTop, chosen.offsetTop + chosen.offsetHeight];
  if (top < list.scrollTop) list.scrollTop = top; // and not the page, as scrollIntoView would
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

// A new order is asked for to see what comes first in it.
function toFirst() {
  const [first] = found();
  if (first) update({ prompt: first.prompt });
}

const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -8, PageDown: 8, Home: -Infinity, End: Infinity };

export function prompts() {
  list.addEventListener("click", (event) => {
    const row = event.target.closest("li");
    if (row) update({ prompt: Number(row.id.split("-")[1]) });
  });
  list.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS) || listed.length === 0) return;
    event.preventDefault();
    const to = listed.indexOf(state.prompt) + STEPS[event.key];
    update({ prompt: listed[Math.max(0, Math.min(listed.length - 1, to))] });
  });
  const find = byId("find");
  find.addEventListener("input", () => update({ find: find.value }));
  view("find", () => { if (find.value !== state.find) find.value = state.find; });
  choice("sort", labels, String, String, toFirst);
  const runs = about.runs.map((run, i) => [String(i), run.label]);
  choice("of", [["", "the mean of methods shown"], ...runs],
    (text) => (text === "" ? null : Number(text)), (value) => String(value ?? ""), toFirst);
  view("sort", () => { byId("of-label").hidden = ["data", "disagree"].includes(state.sort); });
  view("find sort of by seed shown", draw);
  view("w", () => { if (!["data", "same", "change"].includes(state.sort)) draw(); });
  view("prompt", mark);
}
