// The files of this folder, over whatever serves them.

const root = new URL("../", import.meta.url);

// One file as a Uint8Array; `told(have, size)` hears how much of it is here.
export async function load(path, told = () => {}) {
  const response = await fetch(new URL(path, root)).catch(() => null);
  if (!response?.ok) throw new Error(`${path} cannot be fetched (${response?.status ?? "no connection"})`);
  const size = Number(response.headers.get("Content-Length"));
  const parts = [];
  let have = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    have += value.length;
    told(have, size);
  }
  const whole = new Uint8Array(have);
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}
