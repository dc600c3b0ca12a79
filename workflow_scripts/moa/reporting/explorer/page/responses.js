// The responses of all shown methods to the chosen prompt, side by side.

import { about, cell, distinct, finished, raw, reward, textsOf, tokens } from "./data.js";
import { byId, coloured, el, number, quoted, weights } from "./dom.js";
import { name } from "./runs.js";
import { chosen, seeds, shownRuns, state, vectorOf, view } from "./state.js";

// Texts that are still packed come a moment later; until then the prompt and its responses stay together.
function draw() {
  const { prompt } = state;
  const texts = textsOf(prompt);
  if (typeof texts === "function") return show(texts);
  byId("responses").setAttribute("aria-busy", "true");
  return texts.then((read) => {
    if (prompt === state.prompt) show(read);
  });
}

function show(read) {
  const runs = shownRuns();
  const best = about.objectives.map((_, k) => Math.max(...runs.flatMap((run) =>
    cells(run).map((c) => reward(state.by, c, k)))));
  byId("prompt").textContent = about.prompts[state.prompt].text;
  byId("responses").replaceChildren(...runs.map((run) => card(run, read, best)));
  byId("responses").setAttribute("aria-busy", "false");
}

const cells = (run) => seeds().map((s) => cell(run, s, vectorOf(run).place, state.prompt));

function card(run, read, best) {
  const { place, far } = vectorOf(run);
  const { vectors, one_policy: onePolicy, colour } = about.runs[run];
  const other = onePolicy ? "the nearest w it was evaluated at" : "one policy per objective";
  const where = far > 1e-6 ? el("p", { class: "small" }, `at ${weights(vectors[place])}: ${other}`) : null;
  return coloured(el("article", { "data-run": about.runs[run].name },
    el("h3", {}, name(run)), where,
    ...seeds().flatMap((s, i) => response(run, s, cells(run)[i], read, best))), colour);
}

function response(run, seed, c, read, best) {
  const text = read(c);
  const said = text === ""
    ? el("p", { class: "text empty" }, "(empty)")
    : quoted("p", text, { tabindex: text.length > 600 ? 0 : null });
  const { vectors } = about.runs[run];
  const n = distinct(run, seed, state.prompt);
  return [
    about.seeds.length > 1 ? el("h4", {}, `Seed ${about.seeds[seed]}`) : null,
    said, rewards(c, best),
    el("p", { class: "small" }, `${length(c)}; ${n === 1 ? "the same" : `${n} different`} under ${vectors.length}\u00a0w`),
  ];
}

function length(c) {
  const [n, ended] = [tokens(c), finished(c)];
  const size = n === null ? "length not known" : n === 1 ? "1 token" : `${n} tokens`;
  return ended === null ? size : `${size}, ${ended ? "finished" : "cut"}`;
}

function rewards(c, best) {
  const values = about.objectives.map((_, k) => reward(state.by, c, k));
  const rows = values.map((value, k) => {
    const top = value === best[k];
    return el("tr", { class: top ? "best" : null },
      el("th", { scope: "row" }, about.objectives[k]),
      el("td", {}, number(value), top ? el("span", { class: "hidden" }, " highest") : null),
      el("td", {}, number(raw(state.by, value, k), 3)));
  });
  const sum = values.reduce((total, value, k) => total + chosen()[k] * value, 0);
  rows.push(el("tr", {}, el("th", { scope: "row" }, "w · reward"), el("td", {}, number(sum)), el("td")));
  const head = ["Reward", "normalised", "raw"].map((text) => el("th", { scope: "col" }, text));
  return el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
}

export function responses() {
  view("w prompt by seed shown", draw);
}
