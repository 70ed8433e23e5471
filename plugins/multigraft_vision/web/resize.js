// Resizing as Pillow does it: one filter a direction, as wide as the picture shrinks, in fixed point.

const BITS = 22; // behind the binary point, which leaves 8 bits for a value and 2 for sums
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const FILTERS = {
  bilinear: { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weigh: (x) => cubic(Math.abs(x), -0.5) },
  lanczos: { support: 3, weigh: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

export function resized(picture, width, height, interpolation) {
  if (picture.width === width && picture.height === height) return picture;
  if (interpolation === "nearest") return nearest(picture, width, height);
  const filter = FILTERS[interpolation];
  if (!filter) throw new Error(`no interpolation ${interpolation}`);
  const across = (from) => (from.width === width ? from : horizontally(from, width, filter));
  const down = (from) => (from.height === height ? from : vertically(from, height, filter));
  return isTall(picture, width, height) ? across(down(picture)) : down(across(picture));
}

// Where Pillow 13 begins with the columns; values are rounded between the directions, so the order shows.
function isTall(picture, width, height) {
  return height < picture.height && picture.height - height > 2 * (picture.width - width);
}

function cubic(x, a) {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// For each of `to` pixels: the first of the `from` ones that it is made of, and their weights.
function weights(from, to, { support, weigh }) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support * stretch + 0.5));
    const last = Math.min(from, Math.trunc(center + support * stretch + 0.5));
    const shares = Array.from({ length: last - first }, (_, i) => weigh((i + first - center + 0.5) * (1 / stretch)));
    const sum = shares.reduce((total, share) => total + share, 0);
    return { first, shares: Int32Array.from(shares, (share) => fixed(sum === 0 ? share : share / sum)) };
  });
}

const fixed = (share) => Math.trunc(share * (1 << BITS) + (share < 0 ? -0.5 : 0.5));
const whole = (sum) => Math.max(0, Math.min(255, (sum + (1 << (BITS - 1))) >> BITS));

function horizontally({ data, width, height }, wide, filter) {
  const made = new Uint8Array(wide * height * 3);
  const columns = weights(width, wide, filter);
  for (let y = 0; y < height; y++) {
    columns.forEach(({ first, shares }, x) => {
      const start = (y * width + first) * 3;
      mix(data, start, 3, shares, made, (y * wide + x) * 3);
    });
  }
  return { data: made, width: wide, height };
}

function vertically({ data, width, height }, tall, filter) {
  const made = new Uint8Array(width * tall * 3);
  weights(height, tall, filter).forEach(({ first, shares }, y) => {
    for (let x = 0; x < width; x++) {
      mix(data, (first * width + x) * 3, width * 3, shares, made, (y * width + x) * 3);
    }
  });
  return { data: made, width, height: tall };
}

// One pixel from those that stand `step` bytes apart.
function mix(data, start, step, shares, made, place) {
  let [red, green, blue] = [0, 0, 0];
  for (let i = 0, at = start; i < shares.length; i++, at += step) {
    red += data[at] * shares[i];
    green += data[at + 1] * shares[i];
    blue += data[at + 2] * shares[i];
  }
  made[place] = whole(red);
  made[place + 1] = whole(green);
  made[place + 2] = whole(blue);
}

function nearest({ data, width, height }, wide, tall) {
  const made = new Uint8Array(wide * tall * 3);
  const columns = sources(width, wide);
  sources(height, tall).forEach((row, y) => {
    columns.forEach((column, x) => {
      const at = (row * width + column) * 3;
      made.set(data.subarray(at, at + 3), (y * wide + x) * 3);
    });
  });
  return { data: made, width: wide, height: tall };
}

// Summed step by step, as Pillow sums, so that rounding falls the same way.
function sources(from, to) {
  const step = from / to;
  let at = step * 0.5;
  return Array.from({ length: to }, () => {
    const source = Math.floor(at);
    at += step;
    return source;
  });
}
