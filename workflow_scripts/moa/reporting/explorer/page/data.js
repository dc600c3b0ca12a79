// The data of the page: blocks of base64 and gzip, unpacked when they are first needed.
// A cell is one response: its place in all arrays, by run, seed, vector and prompt.

import { byId } from "./dom.js";

async function block(name) {
  const packed = Uint8Array.from(atob(byId(name).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const json = async (name) => JSON.parse(new TextDecoder().decode(await block(name)));

export const about = await json("about");
const [textOf, tokensOf, finishedOf, ...rewardsBy] = await Promise.all([
  block("text").then((bytes) => new Uint16Array(bytes)),
  block("tokens").then((bytes) => new Int32Array(bytes)),
  block("finished").then((bytes) => new Int8Array(bytes)),
  ...about.by.map((_, i) => block(`rewards-${i}`).then((bytes) => new Float32Array(bytes))),
]);

export const K = about.objectives.length;
const P = about.prompts.length;
const S = about.seeds.length;
const starts = [];
about.runs.reduce((start, run) => {
  starts.push(start);
  return start + S * run.vectors.length * P;
}, 0);

export const cell = (run, seed, vector, prompt) =>
  starts[run] + (seed * about.runs[run].vectors.length + vector) * P + prompt;

// Normalised, of objective k; and as the oracle or judge said it.
export const reward = (by, cell, k) => rewardsBy[by][cell * K + k];
export const raw = (by, value, k) => value * about.by[by].std[k] + about.by[by].mean[k];

export const tokens = (cell) => (tokensOf[cell] < 0 ? null : tokensOf[cell]);
export const finished = (cell) => (finishedOf[cell] < 0 ? null : finishedOf[cell] === 1);

// How many different texts a run's responses to a prompt are, under all of its vectors.
export function distinct(run, seed, prompt) {
  return new Set(about.runs[run].vectors.map((_, v) => textOf[cell(run, seed, v, prompt)])).size;
}

const unpacked = new Map();
let words = null;

// The distinct responses to each prompt of a block; see moa/reporting/explorer/packing.py.
async function texts(number) {
  words ??= json("words");
  const [bytes, known] = [new Uint8Array(await block(`texts-${number}`)), await words];
  const found = [];
  let parts = [];
  for (let i = 0; i < bytes.length; i++) {
    let value = 0;
    let shift = 0;
    while (bytes[i] > 0x7f) {
      value += (bytes[i++] & 0x7f) << shift;
      shift += 7;
    }
    value += bytes[i] << shift;
    if (value > 0) parts.push(known[value - 1]);
    else {
      found.push(parts.join(""));
      parts = [];
    }
  }
  return found;
}

// Of a prompt: cell -> text. A promise at first, and at once when its block is unpacked.
export function textsOf(prompt) {
  const number = about.blocks.findLastIndex((first) => first <= prompt);
  const within = about.texts.slice(about.blocks[number], prompt).reduce((a, b) => a + b, 0);
  const reader = (all) => (cell) => all[within + textOf[cell]];
  const there = unpacked.get(number);
  if (Array.isArray(there)) return reader(there);
  if (!there) {
    const read = texts(number).then((all) => {
      unpacked.set(number, all);
      return all;
    });
    unpacked.set(number, read);
  }
  return Promise.resolve(unpacked.get(number)).then(reader);
}
