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
  const body = JSON.stringify({ inputs: value.columns ?? value.text });
  return first(await call(path, { method: "POST", headers, body }));
}

const first = ({ answers, milliseconds }) => ({
  answer: answers[0],
  time: `${milliseconds.toFixed(1)} ms on the server`,
});

// How a program asks the same.
export function program({ name, suffixes }) {
  const given = suffixes.length
    ? `-F file=@example${suffixes[0]}`
    : `-H 'Content-Type: application/json' -d '{"inputs": ["an example"]}'`;
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
