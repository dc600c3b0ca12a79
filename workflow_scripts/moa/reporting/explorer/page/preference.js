// The control of w: a slider for two objectives, a triangle for three, a slider each for more. Only vectors
// that were evaluated can be shown, so each goes to the nearest of these.

import { about, K } from "./data.js";
import { byId, el, number, svg } from "./dom.js";
import { chosen, nearest, state, update, vectors, view } from "./state.js";

const said = (w) => about.objectives.map((name, k) => `${name} ${number(w[k])}`).join(", ");

function slider() {
  const input = el("input", {
    type: "range", id: "w", min: 0, max: vectors.length - 1, step: 1, "aria-label": "Preference w",
  });
  input.addEventListener("input", () => update({ w: Number(input.value) }));
  const draw = () => {
    input.value = state.w;
    input.setAttribute("aria-valuetext", said(chosen()));
  };
  const [first, second] = about.objectives;
  const ends = el("div", { class: "ends", "aria-hidden": "true" }, el("span", {}, second), el("span", {}, first));
  return [[input, ends], draw];
}

const WIDTH = 220;
const HEIGHT = 190;
const CORNERS = [[WIDTH / 2, 0], [0, HEIGHT], [WIDTH, HEIGHT]];
const spot = (w) => {
  const sum = w.reduce((a, b) => a + b, 0);
  return [0, 1].map((axis) => w.reduce((at, x, k) => at + (x / sum) * CORNERS[k][axis], 0));
};

function triangle() {
  const spots = vectors.map(spot);
  const inputs = vectors.map((w, i) => {
    const input = el("input", { type: "radio", name: "w", value: i, "aria-label": said(w), title: said(w) });
    [input.style.left, input.style.top] = spots[i].map((at) => `${at}px`);
    input.addEventListener("change", () => update({ w: i }));
    return input;
  });
  const outline = svg("svg", { width: WIDTH, height: HEIGHT, "aria-hidden": "true" },
    svg("polygon", { points: CORNERS.join(" ") }));
  const area = el("div", { class: "triangle" }, outline, ...inputs);
  const toNearest = (event) => {
    const box = outline.getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    const { place } = nearest(at, spots);
    inputs[place].focus();
    inputs[place].checked = true; // at once, as a click on it does: views are drawn a frame later
    update({ w: place });
  };
  area.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    area.setPointerCapture(event.pointerId);
    toNearest(event);
  });
  area.addEventListener("pointermove", (event) => event.buttons && toNearest(event));
  const corner = (k) => el("span", { class: `corner-${k}`, "aria-hidden": "true" }, about.objectives[k]);
  const group = el("div", { class: "corners", id: "w", role: "radiogroup", "aria-label": "Preference w" },
    corner(0), area, el("div", { class: "ends" }, corner(1), corner(2)));
  return [[group], () => { inputs[state.w].checked = true; }];
}

function sliders() {
  const inputs = about.objectives.map((name) =>
    el("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": `Weight of ${name}` }));
  const asked = () => {
    const sum = inputs.reduce((total, input) => total + Number(input.value), 0);
    return inputs.map((input) => (sum > 0 ? Number(input.value) / sum : 1 / K));
  };
  const shares = inputs.map(() => el("span", { class: "number" }));
  const show = () => asked().forEach((x, k) => { shares[k].textContent = number(x); });
  inputs.forEach((input) => input.addEventListener("input", () => {
    show();
    update({ w: nearest(asked(), vectors).place });
  }));
  const rows = inputs.map((input, k) =>
    el("label", { class: "weight" }, el("span", {}, about.objectives[k]), input, shares[k]));
  byId("chosen").setAttribute("aria-live", "polite"); // a slider says its own number only
  return [[el("div", { id: "w" }, ...rows)], () => {
    if (nearest(asked(), vectors).place !== state.w) { // from a link or the plot
      inputs.forEach((input, k) => { input.value = Math.round(100 * chosen()[k]); });
    }
    show();
  }];
}

export function preference() {
  const [nodes, draw] = (K === 2 ? slider : K === 3 ? triangle : sliders)();
  byId("control").append(...nodes);
  byId("preference").classList.toggle("low", K === 2);
  byId("evaluated").textContent = `${vectors.length} preferences were evaluated; this goes to the nearest of them.`;
  view("w", () => {
    draw();
    byId("chosen").textContent = said(chosen());
  });
}
