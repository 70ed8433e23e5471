// The server: what it serves, and its answers. The token stays in this module's memory.
let token = "";
const JSON_BODY = { "Content-Type": "application/json" };
const EVENTS = "text/event-stream";
const TOGETHER = 32; // values in a request, of which a server takes 64 unless it is told otherwise

export const useToken = (given) => (token = given);

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const models = async () => (await call("models")).models;

// `told` hears a text as far as it is written; `signal` ends the work.
export async function predict(model, value, { told, signal } = {}) {
  const path = `models/${model.name}/predict`;
  if (value.file) {
    const body = new FormData();
    body.append("inputs", value.file);
    return first(await call(path, { method: "POST", body }));
  }
  const body = JSON.stringify({ inputs: await written(value) });
  if (!model.streams) return first(await call(path, { method: "POST", headers: JSON_BODY, body, signal }));
  const headers = { ...JSON_BODY, Accept: `${EVENTS}, application/json` };
  let text = "";
  const heard = (name, piece) => told?.((text += piece.text));
  return first(await lastOf(await answerTo(path, { method: "POST", headers, body, signal }), heard));
}

// Why a typed value is answered so.
export async function explain(model, value) {
  const body = JSON.stringify({ inputs: await written(value) });
  const { answers } = await call(`models/${model.name}/explain`, { method: "POST", headers: JSON_BODY, body });
  return answers[0];
}

// What is said in a sound; `told` hears the segments until now, and how many seconds of it were heard.
export async function transcribe(model, { file }, { told, signal } = {}) {
  const body = new FormData();
  body.append("inputs", file);
  const headers = { Accept: `${EVENTS}, application/json` };
  const segments = [];
  const heard = (name, content) => (name === "segment" ? segments.push(content) : told?.(segments, content.seconds));
  return first(await lastOf(await answerTo(`models/${model.name}/transcribe`, { method: "POST", headers, body, signal }), heard));
}

// The answers to many values, some at a time.
export async function predictAll(model, values) {
  const answers = [];
  let milliseconds = 0;
  for (let place = 0; place < values.length; place += TOGETHER) {
    const inputs = values.slice(place, place + TOGETHER).map(({ text }) => text);
    const body = JSON.stringify({ inputs });
    const found = await call(`models/${model.name}/predict`, { method: "POST", headers: JSON_BODY, body });
    answers.push(...found.answers);
    milliseconds += found.milliseconds;
  }
  return { answers, time: timed(milliseconds) };
}

// Events of what comes piece by piece, each of which `heard` hears, to the whole answer at their end.
async function lastOf(response, heard) {
  if (!response.headers.get("Content-Type")?.startsWith(EVENTS)) return response.json();
  for await (const { name, content } of eventsOf(response.body)) {
    if (name === "answer") return content;
    if (name === "error") throw new Refused(0, content.error);
    heard(name, content);
  }
  throw new Refused(0, "the server ended before its answer did");
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let held = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const whole = (held + value).split("\n\n");
    held = whole.pop();
    for (const one of whole) {
      const [, name, content] = one.match(/^event: (.*)\ndata: (.*)$/s);
      yield { name, content: JSON.parse(content) };
    }
  }
}

// A value in JSON; a file in it as base64.
async function written(value) {
  if (value.branches) {
    const given = Object.entries(value.branches).map(async ([name, each]) => [name, await written(each)]);
    return Object.fromEntries(await Promise.all(given));
  }
  return value.file ? address(value.file) : (value.columns ?? value.text);
}

const address = (file) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.addEventListener("error", () => failed(new Refused(0, `${file.name} cannot be read`)));
    reader.readAsDataURL(file);
  });

const timed = (milliseconds) => `${milliseconds.toFixed(1)} ms on the server`;
const first = ({ answers, milliseconds }) => ({ answer: answers[0], time: timed(milliseconds) });

// How a program asks the same.
export function program({ name, suffixes, branches = [], transcribes }) {
  if (transcribes) {
    const address = new URL(`models/${name}/transcribe`, location.href);
    return `curl -N ${address} \\\n  -H 'Accept: text/event-stream' -F file=@example${suffixes[0]}`;
  }
  const inputs = branches.length
    ? Object.fromEntries(branches.map((each) => [each.name, each.suffixes.length ? "<base64>" : "an example"]))
    : "an example";
  const given =
    suffixes.length && !branches.length
      ? `-F file=@example${suffixes[0]}`
      : `-H 'Content-Type: application/json' -d '${JSON.stringify({ inputs: [inputs] })}'`;
  return `curl ${new URL(`models/${name}/predict`, location.href)} \\\n  ${given}`;
}

async function call(path, options) {
  return (await answerTo(path, options)).json();
}

async function answerTo(path, { headers = {}, ...options } = {}) {
  const own = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
  let response;
  try {
    response = await fetch(path, { ...options, headers: own });
  } catch {
    throw new Refused(0, "the server cannot be reached");
  }
  if (response.ok) return response;
  const found = await response.json().catch(() => ({}));
  throw new Refused(response.status, found.error ?? `the server answered ${response.status}`);
}
