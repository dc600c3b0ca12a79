// What prompts are ordered by. All are of normalised rewards, over the chosen seeds.

import { about, cell, K, reward } from "./data.js";
import { chosen, ORDERS, seeds, shownRuns, state, vectorOf } from "./state.js";

// A run's reward k for a prompt under one of its vectors: the mean over seeds.
export function value(run, vector, prompt, k) {
  const chosenSeeds = seeds();
  let sum = 0;
  for (const seed of chosenSeeds) sum += reward(state.by, cell(run, seed, vector, prompt), k);
  return sum / chosenSeeds.length;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const range = (values) => Math.max(...values) - Math.min(...values);
const objectives = about.objectives.map((_, k) => k);
const widest = (of) => Math.max(...objectives.map((k) => range(of(k))));

// The largest difference between two shown methods in any objective, at the chosen w.
function disagreement(prompt) {
  const runs = shownRuns().map((run) => [run, vectorOf(run).place]);
  return widest((k) => runs.map(([run, v]) => value(run, v, prompt, k)));
}

const measured = () => (state.of === null ? shownRuns() : [state.of]);

// The largest difference between two w in any objective: the mean over methods that follow w.
function change(prompt) {
  const runs = measured().filter((run) => about.runs[run].one_policy);
  const own = (run) =>
    widest((k) => about.runs[run].vectors.map((_, v) => value(run, v, prompt, k)));
  return mean(runs.map(own));
}

const at = (prompt, k) => mean(measured().map((run) => value(run, vectorOf(run).place, prompt, k)));
const asked = (prompt) => chosen().reduce((sum, weight, k) => sum + weight * at(prompt, k), 0);

// name -> [label, measure of a prompt, whether the largest come first]
const MEASURES = {
  data: ["as in the data", null, false],
  disagree: ["methods disagree most at this w", disagreement, true],
  same: ["w changes least", change, false],
  change: ["w changes most", change, true],
  best: ["best at this w (w · reward)", asked, true],
  worst: ["worst at this w (w · reward)", asked, false],
};
objectives.forEach((k) => {
  const name = about.objectives[k];
  MEASURES[`best ${name}`] = [`best ${name} at this w`, (prompt) => at(prompt, k), true];
  MEASURES[`worst ${name}`] = [`worst ${name} at this w`, (prompt) => at(prompt, k), false];
});
export const labels = ORDERS.map((name) => [name, MEASURES[name][0]]);

// Places of prompts that the search finds, in the chosen order, with the number that orders them.
export function found() {
  const words = plain(state.find).split(/\s+/).filter(Boolean);
  const [, measure, largest] = MEASURES[state.sort];
  const some = texts.flatMap((text, prompt) => (words.every((w) => text.includes(w)) ? [prompt] : []));
  if (!measure || lacking()) return some.map((prompt) => ({ prompt, number: null }));
  const numbered = some.map((prompt) => ({ prompt, number: measure(prompt) }));
  return numbered.sort((a, b) => (largest ? b.number - a.number : a.number - b.number));
}

// What the chosen order lacks to be one, or null.
export function lacking() {
  if (state.sort !== "data" && measured().length === 0) return "show a method";
  if (state.sort === "disagree" && shownRuns().length < 2) return "show two methods";
  if (["same", "change"].includes(state.sort) && !measured().some((run) => about.runs[run].one_policy)) {
    return "measure on a method that follows w";
  }
  return null;
}

const plain = (text) => text.normalize("NFKC").toLowerCase();
const texts = about.prompts.map((prompt) => plain(prompt.text));
