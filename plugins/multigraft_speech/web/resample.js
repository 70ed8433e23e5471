// Another rate by a windowed sinc (Kaiser), cut as soxr's HQ is: 0.9136 of the lower rate's band passes whole.

const PASS = 0.9136;
const ATTENUATION = 120; // dB
const BETA = 0.1102 * (ATTENUATION - 8.7);
const TAPS = Math.ceil((ATTENUATION - 7.95) / (2.285 * Math.PI * (1 - PASS))); // at the lower rate
const PHASES = 4096; // of rates without a small common multiple; between them weights are interpolated

export function resampled(samples, from, to) {
  if (from === to || !samples.length) return samples;
  const common = divisor(from, to);
  const [up, down] = [to / common, from / common];
  const phases = Math.min(up, PHASES);
  const half = Math.ceil((TAPS / 2) * Math.max(1, from / to));
  const bank = kernels(phases, half, Math.min(1, to / from));
  const made = new Float32Array(Math.round((samples.length * to) / from));
  for (let n = 0; n < made.length; n++) {
    const middle = Math.floor((n * down) / up);
    const place = (((n * down) % up) * phases) / up;
    const phase = Math.floor(place);
    const share = place - phase;
    const value = weighed(samples, bank[phase], middle, half);
    made[n] = share ? value + share * (weighed(samples, bank[phase + 1], middle, half) - value) : value;
  }
  return made;
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

// The sum of the samples around `middle`; silence lies before the first and behind the last.
function weighed(samples, kernel, middle, half) {
  const start = middle - half + 1;
  const end = Math.min(samples.length, middle + half + 1);
  let sum = 0;
  for (let i = Math.max(0, start); i < end; i++) sum += samples[i] * kernel[i - start];
  return sum;
}

// For each part of the way from one sample to the next, the weights of the 2 * half samples around it.
function kernels(phases, half, band) {
  const cut = (band * (1 + PASS)) / 2;
  return Array.from({ length: phases + 1 }, (_, phase) =>
    Float64Array.from({ length: 2 * half }, (_, tap) => {
      const x = tap - half + 1 - phase / phases;
      return cut * sinc(cut * x) * kaiser(x / half);
    }),
  );
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const kaiser = (x) => (Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA));

// The modified Bessel function of the first kind, order 0.
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
