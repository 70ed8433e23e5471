// The server: what it serves, and its answers. The token stays in this module's memory.
let token = "";

export const useToken = (given) => (token = given);

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const models = async () => (await call("models")).models;

export async function predict(model, value) {
  const path = `models/${model.name}/predict`;
  if (value.file) {
    const body = new FormData();
    body.append("inputs", value.file);
    return first(await call(path, { method: "POST", body }));
  }
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ inputs: await written(value) });
  return first(await call(path, { method: "POST", headers, body }));
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

const first = ({ answers, milliseconds }) => ({
  answer: answers[0],
  time: `${milliseconds.toFixed(1)} ms on the server`,
});

// How a program asks the same.
export function program({ name, suffixes, branches = [] }) {
  const inputs = branches.length
    ? Object.fromEntries(branches.map((each) => [each.name, each.suffixes.length ? "<base64>" : "an example"]))
    : "an example";
  const given =
    suffixes.length && !branches.length
      ? `-F file=@example${suffixes[0]}`
      : `-H 'Content-Type: application/json' -d '${JSON.stringify({ inputs: [inputs] })}'`;
  return `curl ${new URL(`models/${name}/predict`, location.href)} \\\n  ${given}`;
}

async function call(path, { headers = {}, ...options } = {}) {
  const own = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
  let response;
  try {
    response = await fetch(path, { ...options, headers: own });
  } catch {
    throw new Refused(0, "the server cannot be reached");
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, found.error ?? `the server answered ${response.status}`);
  return found;
}
