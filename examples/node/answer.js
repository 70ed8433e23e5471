// Answer a text, a picture or a sound, from a folder that `multigraft web` wrote: node answer.js FOLDER VALUE [ASKED]
// ASKED is JSON, as '{"threshold": 0.5}' of a detector, whose boxes are pixels of the picture, upright.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

process.env.ORT_DISABLE_TELEMETRY ??= "1"; // unset at its import, its makers are told of its use
const ort = await import("onnxruntime-node");
const [site, value, asked = "{}"] = process.argv.slice(2);
const { openModel } = await import(pathToFileURL(resolve(site, "page/model.js")));
const model = await openModel({ ort, bytes: (path) => readFile(resolve(site, path)) });

async function picture(path) {
  const { default: sharp } = await import("sharp");
  const upright = sharp(path).rotate().flatten({ background: "white" }).toColourspace("srgb");
  const { data, info } = await upright.raw().toBuffer({ resolveWithObject: true });
  return { pixels: { data: new Uint8Array(data), width: info.width, height: info.height } };
}

const given = {
  image: () => picture(value),
  audio: async () => ({ file: new Blob([await readFile(value)]) }), // WAV; Node has no decoders of other formats
}[model.facts.media];
const { answer } = await model.predict(given ? await given() : { text: value }, JSON.parse(asked));
console.log(JSON.stringify(answer.scores ? Object.fromEntries(answer.scores) : answer));
