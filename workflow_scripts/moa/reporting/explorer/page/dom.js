// Elements, made one by one. Whatever comes from data goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// Tell the reader something, above all else; "" takes back what was told.
export function say(text) {
  const notice = byId("notice");
  notice.textContent = text === "" ? "" : `${notice.textContent} ${text}`.trim();
  notice.hidden = text === "";
}

const fail = (why) => say(`This page does not work here: ${why}. It needs a browser of 2023 or newer.`);
addEventListener("error", (event) => fail(event.message));
addEventListener("unhandledrejection", (event) => fail(event.reason));

export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.map((child) => child ?? ""));
  return node;
}

// A run's colour, which the style sheet adapts to light and dark.
export function coloured(node, colour) {
  node.style.setProperty("--run", colour);
  return node;
}

// Text of a prompt or a response: its own direction, and its own lines.
export function quoted(name, text, attributes = {}) {
  const node = el(name, { dir: "auto", ...attributes, class: `text ${attributes.class ?? ""}` });
  node.textContent = text;
  return node;
}

export function options(select, choices) {
  select.replaceChildren(...choices.map(([value, label]) => el("option", { value }, label)));
}

export function number(value, digits = 2) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

// 0.3 and 0.33 as .3 and .33, as figures label points.
export const weights = (vector) => vector.map((x) => String(Number(x.toFixed(2)))).join("/");
