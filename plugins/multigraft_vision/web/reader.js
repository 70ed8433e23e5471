// From a picture to RGB of one size: the reader that the model was trained with, once more.
import { decoded } from "./pixels.js";
import { resized } from "./resize.js";
import { even } from "./rounding.js";
import { tiles } from "./tiles.js";

// `spec` is the bundle's reader: size, crop, interpolation, fit, max_pixels, fill, places.
export async function openReader(spec) {
  const [tall, wide] = spec.size;

  // {file}, or {pixels: {data, width, height}} with three bytes a pixel; before the crop.
  async function opened({ file, pixels }) {
    const picture = pixels ?? (await decoded(file, spec.max_pixels));
    const scaled = resized(picture, ...whole(spec, picture), spec.interpolation);
    return { scaled, picture, first: [middle(scaled.width - wide), middle(scaled.height - tall)] };
  }

  function row({ scaled, picture }, [left, top]) {
    const image = { data: cropped(scaled, left, top, wide, tall, spec.fill), dims: [tall, wide, 3] };
    return spec.places ? { image, ...places(scaled, picture, left, top, wide, tall) } : { image };
  }

  return {
    async read(value) {
      const found = await opened(value);
      return row(found, found.first);
    },
    // All of a picture, the row that `read` gives first.
    async windows(value) {
      const found = await opened(value);
      const { scaled, first } = found;
      const others = outside(scaled, ...first, wide, tall) ? tiles(scaled, wide, tall, middle) : [];
      const corners = [first, ...others.filter((corner) => String(corner) !== String(first))];
      return corners.map((corner) => row(found, corner));
    },
  };
}

// Where the pixels of a row lie: x and y of the input are `frame` times x, y and 1 of the picture.
function places(scaled, { width, height }, left, top, wide, tall) {
  const [across, down] = [scaled.width / width, scaled.height / height];
  return {
    frame: { data: Float32Array.of(across, 0, -left, 0, down, -top), dims: [2, 3] },
    extent: { data: Float32Array.of(wide, tall), dims: [2] },
    picture: { data: Float32Array.of(width, height), dims: [2] },
    rest: { data: BigInt64Array.of(BigInt(outside(scaled, left, top, wide, tall))), dims: [] },
  };
}

// The pixels of the resized picture that a crop leaves out.
function outside({ width, height }, left, top, wide, tall) {
  const across = Math.min(left + wide, width) - Math.max(left, 0);
  const down = Math.min(top + tall, height) - Math.max(top, 0);
  return width * height - across * down;
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
