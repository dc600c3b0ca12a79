// The whole page, drawn once, and again when its address changes.

import { about, textsOf } from "./data.js";
import { byId, el, number } from "./dom.js";
import { distributions } from "./distributions.js";
import { front } from "./front.js";
import { preference } from "./preference.js";
import { prompts } from "./prompts.js";
import { responses } from "./responses.js";
import { runs } from "./runs.js";
import { readHash, redrawAll, state } from "./state.js";

const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

function describe() {
  const { config, task, of, notes, objectives } = about;
  const n = about.prompts.length;
  document.title = `${task} (${config}): responses`;
  byId("title").textContent = `Responses: ${task} (${config})`;
  byId("subtitle").textContent = [
    n < of ? `${n} of ${of} test prompts` : counted(n, "test prompt"),
    counted(about.runs.length, "method"), counted(about.seeds.length, "seed"), objectives.join(", "),
  ].join(" · ");
  byId("notes").append(...[
    "Rewards are normalised: (raw − mean) / standard deviation, by the numbers below. Higher is better.",
    ...about.by.map((by) => `${by.name}: ` + objectives.map((name, k) =>
      `${name}, mean ${number(by.mean[k], 4)}, standard deviation ${number(by.std[k], 4)}`).join("; ") + "."),
    "A front's point is the mean over all test prompts under one w; crosses are 95 % intervals over prompts.",
    n < of ? `Responses and distributions are of ${n} prompts, spread evenly over all ${of}.` : null,
    about.by.some((by) => by.optimum) ? "The dashed line is the best front that any policy could have." : null,
    "Methods disagree by the largest difference between two of them in any objective; w changes a prompt by " +
      "the largest difference between two w in any objective. Both are of means over the chosen seeds.",
    "The address of this page holds what is chosen, so it can be sent along with the file.",
    ...notes,
  ].filter(Boolean).map((text) => el("li", {}, text)));
}

describe();
[preference, runs, front, distributions, prompts, responses].forEach((part) => part());
byId("page").hidden = false;
const show = () => {
  readHash();
  redrawAll();
};
addEventListener("hashchange", show);
show();
await textsOf(state.prompt);
document.documentElement.dataset.ready = "yes"; // all that is asked for can be seen
