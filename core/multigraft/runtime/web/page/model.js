// A bundle's answers in a browser or in Node: reader, graph, answers. It knows no page.
import { answers, checkedAsked, inWindows } from "./answers.js";

const FORMAT = 2;
const TYPES = new Map([[Uint8Array, "uint8"], [Float32Array, "float32"], [BigInt64Array, "int64"]]);

// `ort` is onnxruntime-web or onnxruntime-node; `bytes(path)` gives a file of this folder as a Uint8Array.
export async function openModel({ ort, bytes }) {
  const site = JSON.parse(new TextDecoder().decode(await bytes("site.json")));
  if (site.format !== FORMAT) throw new Error(`site.json has format ${site.format}; ${FORMAT} is read here`);
  const file = (name) => checked(name, site.files[name], bytes);
  const { openReader } = await import("../reader/reader.js");
  const reader = await openReader(site.reader, file);
  const [graph, ...beside] = site.graph;
  const session = await ort.InferenceSession.create(await file(graph), {
    externalData: await Promise.all(beside.map(async (path) => ({ path, data: await file(path) }))),
  });
  const make = answers[site.answers];
  const all = inWindows.has(site.answers) && reader.windows;
  let turn = Promise.resolve(); // a session computes one row at a time

  async function answer(value, asked) {
    const wanted = checkedAsked(site.asks, asked);
    const began = performance.now();
    const rows = all ? await reader.windows(value) : [await reader.read(value)];
    const read = performance.now();
    const windows = [];
    for (const row of rows) windows.push({ row, outputs: await session.run(batchOfOne(ort, row, session.inputNames)) });
    const found = make(site.targets, windows, wanted);
    return { answer: found, reading: read - began, computing: performance.now() - read };
  }

  return {
    facts: site.model,
    read: (value) => reader.read(value),
    // Answer one value ({text}, {columns}, {file}, or what else the reader takes). `asked`: as site.json says in `asks`.
    predict(value, asked = {}) {
      const found = turn.then(() => answer(value, asked));
      turn = found.catch(() => undefined);
      return found;
    },
  };
}

// A row of {name: {data, dims}} as the tensors that the graph takes.
function batchOfOne(ort, row, names) {
  const tensor = ({ data, dims }) => new ort.Tensor(TYPES.get(data.constructor), data, [1, ...dims]);
  return Object.fromEntries(names.map((name) => [name, tensor(row[name])]));
}

async function checked(name, entry, bytes) {
  if (!entry) throw new Error(`${name}: is not listed in site.json`);
  const content = await bytes(`bundle/${name}`);
  const broken = (why) => new Error(`${name}: ${why}; copy the folder again`);
  if (content.length !== entry.size) throw broken(`has ${content.length} bytes, site.json lists ${entry.size}`);
  if (!globalThis.crypto?.subtle) return content; // a page on plain http has no hashes
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== entry.sha256) throw broken("its content is not what site.json lists");
  return content;
}
