// From a picture to RGB of one size: the reader that the model was trained with, once more.
import { decoded } from "./pixels.js";
import { resized } from "./resize.js";

// `spec` is the bundle's reader: size, crop, interpolation, fit, max_pixels.
export async function openReader(spec) {
  const [tall, wide] = spec.size;
  return {
    // {file}, or {pixels: {data, width, height}} with three bytes a pixel.
    async read({ file, pixels }) {
      const picture = pixels ?? (await decoded(file, spec.max_pixels));
      const [width, height] = whole(spec, picture);
      const scaled = resized(picture, width, height, spec.interpolation);
      const top = even((height - tall) / 2);
      const left = even((width - wide) / 2);
      return { image: { data: cropped(scaled, left, top, wide, tall), dims: [tall, wide, 3] } };
    },
  };
}

// Width and height before the crop.
function whole({ size, crop, fit, max_pixels }, { width, height }) {
  let [tall, wide] = size.map((side) => Math.floor(side / crop));
  if (fit === "squash") return [wide, tall];
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

// The nearest integer; of two the even one, as Python rounds.
function even(value) {
  const below = Math.floor(value);
  const up = value - below === 0.5 ? below % 2 !== 0 : value - below > 0.5;
  return up ? below + 1 : below;
}

// What lies outside of the picture is black.
function cropped({ data, width, height }, left, top, wide, tall) {
  const window = new Uint8Array(tall * wide * 3);
  const from = Math.max(left, 0);
  const to = Math.min(left + wide, width);
  for (let y = Math.max(top, 0); y < Math.min(top + tall, height); y++) {
    const row = data.subarray((y * width + from) * 3, (y * width + to) * 3);
    window.set(row, ((y - top) * wide + from - left) * 3);
  }
  return window;
}
