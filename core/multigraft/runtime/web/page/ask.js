// The model in this browser, in the place of a server's.
import * as ort from "../vendor/onnxruntime-web/ort.js";
import { load } from "./load.js";
import { openModel } from "./model.js";

export class Refused extends Error {} // by a server, which there is none of here
export const useToken = () => {};

ort.env.wasm.numThreads = 1; // more need headers that plain hosting does not send
ort.env.wasm.wasmPaths = { wasm: new URL("../vendor/onnxruntime-web/ort.wasm", import.meta.url).href };

let opened;

export async function models(told) {
  const mega = (bytes) => (bytes / 1e6).toFixed(1);
  const bytes = (path) =>
    load(path, (have, size) => told(`Loading ${path}: ${mega(have)}${size ? ` of ${mega(size)}` : ""} MB`));
  opened = await openModel({ ort, bytes });
  return [opened.facts];
}

export async function predict(model, value) {
  const { answer, reading, computing } = await opened.predict(value);
  const time = `${reading.toFixed(1)} ms to read, ${computing.toFixed(1)} ms to compute, in this browser`;
  return { answer, time };
}

export const transcribe = predict; // a model here says all at once

export async function predictAll(model, values) {
  const answers = [];
  const began = performance.now();
  for (const value of values) {
    answers.push(await opened.predict(value).then(({ answer }) => answer, (error) => ({ error: error.message })));
  }
  return { answers, time: `${(performance.now() - began).toFixed(1)} ms in this browser` };
}

export const program = (model) =>
  `import * as ort from "./vendor/onnxruntime-web/ort.js";
import { load } from "./page/load.js";
import { openModel } from "./page/model.js";

const model = await openModel({ ort, bytes: load });
const { answer } = await model.predict(${model.suffixes.length ? "{ file }" : '{ text: "an example" }'}, {});`;
