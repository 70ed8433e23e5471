// From a sound to mono samples at one rate: the reader that the model was trained with, once more.
import { decodedByBrowser } from "./decode.js";
import { mono } from "./mono.js";
import { resampled } from "./resample.js";
import { readWav } from "./wavfile.js";

const LOUDEST = 1e6;
const RATES = [1000, 768_000];

const LONGEST = 3600; // seconds that are read in windows
const STEP = 0.75; // how far a window is from the one before, as a share of its length, at most

// `spec` is the bundle's reader: sample_rate, max_seconds, min_seconds, places.
export async function openReader({ sample_rate: wanted, max_seconds: most, min_seconds: least, places }) {
  // Samples at the model's rate of {file}, or of {samples, rate} with one channel of floats.
  async function heard({ file, samples, rate = wanted }, seconds) {
    const sound = samples ? { channels: [samples], rate } : await decoded(file, wanted);
    if (sound.rate < RATES[0] || sound.rate > RATES[1]) throw new Error(`a rate of ${sound.rate} Hz cannot be read`);
    const whole = mono(sound.channels, Math.ceil(seconds * sound.rate));
    const values = resampled(whole, sound.rate, wanted);
    check(values, wanted, least);
    return values;
  }

  const row = (values, start) => ({
    input_values: { data: values, dims: [values.length] },
    attention_mask: { data: new BigInt64Array(values.length).fill(1n), dims: [values.length] },
    ...(places ? { start: { data: Float64Array.of(start / wanted), dims: [] } } : {}),
  });
  const size = Math.round(most * wanted);

  return {
    async read(value) {
      return row((await heard(value, most)).slice(0, size), 0);
    },
    // All of a sound as rows that overlap.
    async windows(value) {
      const values = await heard(value, LONGEST + 1);
      if (values.length > LONGEST * wanted) throw new Error("is longer than an hour; cut it in pieces");
      return starts(values.length, size).map((start) => row(values.slice(start, start + size), start));
    },
  };
}

// Where windows begin, at even distances from the start to the end.
function starts(length, size) {
  const beyond = Math.max(0, length - size);
  const count = 1 + Math.ceil(beyond / (STEP * size));
  const step = beyond / Math.max(1, count - 1);
  return Array.from({ length: count }, (_, place) => (place === count - 1 ? beyond : Math.floor(place * step)));
}

async function decoded(file, wanted) {
  const content = await file.arrayBuffer();
  if (!content.byteLength) throw new Error("the file is empty");
  return readWav(content) ?? decodedByBrowser(content, wanted);
}

function check(values, rate, least) {
  if (!values.length) throw new Error("holds no sound");
  if (!values.every((value) => Math.abs(value) < LOUDEST)) throw new Error("holds samples that are not finite");
  const seconds = values.length / rate;
  if (seconds < least) throw new Error(`${seconds.toFixed(3)} s is too short; at least ${least} s are needed`);
}
