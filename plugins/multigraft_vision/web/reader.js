// From a picture to RGB of one size: the reader that the model was trained with, once more.
import { decoded } from "./pixels.js";
import { resized } from "./resize.js";

// `spec` is the bundle's reader: size, crop, interpolation, fit, max_pixels, fill.
export async function openReader(spec) {
  const [tall, wide] = spec.size;
  return {
    // {file}, or {pixels: {data, width, height}} with three bytes a pixel.
    async read({ file, pixels }) {
      const picture = pixels ?? (await decoded(file, spec.max_pixels));
      const [width, height] = whole(spec, picture);
      const scaled = resized(picture, width, height, spec.interpolation);
      const top = middle(height - tall);
      const left = middle(width - wide);
      return { image: { data: cropped(scaled, left, top, wide, tall, spec.fill), dims: [tall, wide, 3] } };
    },
  };
}

// Width and height before the crop.
function whole({ size, crop, fit, max_pixels }, { width, height }) {
  let [tall, wide] = size.map((side) => Math.floor(side / crop));
  if (fit === "squash") return [wide, tall];
  if (fit === "pad") {
    const ratio = Math.max(height / tall, width / wide);
    return [Math.max(1, even(width / ratio)), Math.max(1, even(height / ratio))];
  }
  if (tall === wide) {
    const longer = Math.trunc((tall * Math.max(width, height)) / Math.min(width, height));
    [wide, tall] = width <= height ? [tall, longer] : [longer, tall];
  } else {
    const ratio = Math.min(height / tall, width / wide);
    [tall, wide] = [even(height / ratio), even(width / ratio)];
  }
  if (tall * wide > max_pixels) throw new Error(`is too narrow: it would be enlarged to ${wide} x ${tall} pixels`);
  return [wide, tall];
}

// Where a crop begins; where bars are added, the first is the smaller one.
function middle(spare) {
  return spare >= 0 ? even(spare / 2) : -Math.floor(-spare / 2);
}

// The nearest integer; of two the even one, as Python rounds.
function even(value) {
  const below = Math.floor(value);
  const up = value - below === 0.5 ? below % 2 !== 0 : value - below > 0.5;
  return up ? below + 1 : below;
}

// What lies outside of the picture is black, or the colour of the bars.
function cropped({ data, width, height }, left, top, wide, tall, fill) {
  const window = new Uint8Array(tall * wide * 3);
  if (fill) for (let at = 0; at < window.length; at++) window[at] = fill[at % 3];
  const from = Math.max(left, 0);
  const to = Math.min(left + wide, width);
  for (let y = Math.max(top, 0); y < Math.min(top + tall, height); y++) {
    const row = data.subarray((y * width + from) * 3, (y * width + to) * 3);
    window.set(row, ((y - top) * wide + from - left) * 3);
  }
  return window;
}
