// From a sound to mono samples at one rate: the reader that the model was trained with, once more.
import { decodedByBrowser } from "./decode.js";
import { mono } from "./mono.js";
import { resampled } from "./resample.js";
import { readWav } from "./wavfile.js";

const LOUDEST = 1e6;
const RATES = [1000, 768_000];

// `spec` is the bundle's reader: sample_rate, max_seconds, min_seconds.
export async function openReader({ sample_rate: wanted, max_seconds: most, min_seconds: least }) {
  return {
    // {file}, or {samples, rate} with one channel of floats.
    async read({ file, samples, rate = wanted }) {
      const sound = samples ? { channels: [samples], rate } : await decoded(file, wanted);
      if (sound.rate < RATES[0] || sound.rate > RATES[1]) throw new Error(`a rate of ${sound.rate} Hz cannot be read`);
      const heard = mono(sound.channels, Math.ceil(most * sound.rate));
      const values = resampled(heard, sound.rate, wanted).slice(0, Math.round(most * wanted));
      check(values, wanted, least);
      return {
        input_values: { data: values, dims: [values.length] },
        attention_mask: { data: new BigInt64Array(values.length).fill(1n), dims: [values.length] },
      };
    },
  };
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
