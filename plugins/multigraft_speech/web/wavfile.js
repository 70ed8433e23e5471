// WAV files of integers and floats, decoded here: browsers would resample them in a way of their own.

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const STREAMED = 2 ** 31 - 2 ** 16; // sizes from here on are placeholders of programs that wrote to a pipe

// {channels, rate}, or null for what is no such file.
export function readWav(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 12 || name(view, 0) !== "RIFF" || name(view, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    if (name(view, at) === "fmt " && at + 24 <= view.byteLength) format = described(view, at + 8, size);
    if (name(view, at) === "data") return format && filled(view, at + 8, size, format);
    at += 8 + size + (size % 2);
  }
  return null;
}

const name = (view, at) => String.fromCharCode(...new Uint8Array(view.buffer, at, 4));

function described(view, at, size) {
  const code = view.getUint16(at, true);
  const known = code === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : code;
  const bits = view.getUint16(at + 14, true);
  const sample = SAMPLES[`${known}-${bits}`];
  return sample && { count: view.getUint16(at + 2, true), rate: view.getUint32(at + 4, true), bytes: bits / 8, sample };
}

// How one sample is read, full scale at 1.
const SAMPLES = {
  [`${PCM}-8`]: (view, at) => (view.getUint8(at) - 128) / 128,
  [`${PCM}-16`]: (view, at) => view.getInt16(at, true) / 2 ** 15,
  [`${PCM}-24`]: (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 2 ** 23,
  [`${PCM}-32`]: (view, at) => view.getInt32(at, true) / 2 ** 31,
  [`${FLOAT}-32`]: (view, at) => view.getFloat32(at, true),
  [`${FLOAT}-64`]: (view, at) => view.getFloat64(at, true),
};

function filled(view, start, declared, { count, rate, bytes, sample }) {
  const found = view.byteLength - start;
  if (found < declared && declared < STREAMED) {
    throw new Error(`is cut off: ${Math.floor((100 * found) / declared)}% of what its header says is there`);
  }
  const frames = Math.floor(Math.min(found, declared) / (bytes * count)) || 0;
  const channels = Array.from({ length: count }, (_, channel) =>
    Float32Array.from({ length: frames }, (_, i) => sample(view, start + (i * count + channel) * bytes)),
  );
  return { channels, rate };
}
