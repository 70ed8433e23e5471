// Segments of a picture: each class as a colour over its pixels, and a legend.
import { make } from "./dom.js";

const STRENGTH = 140; // of 255
const TURN = 137.508; // degrees between the hues of neighbours: the golden angle

// COCO's compressed run lengths: five bits a letter, from the fourth number on as a difference.
export function lengthsOf(text) {
  const lengths = [];
  let [value, shift] = [0, 0];
  for (const letter of text) {
    const part = letter.codePointAt(0) - 48;
    value += (part & 31) * 2 ** shift;
    shift += 5;
    if (part & 32) continue;
    if (part & 16) value -= 2 ** shift;
    lengths.push(lengths.length > 2 ? value + lengths[lengths.length - 2] : value);
    [value, shift] = [0, 0];
  }
  return lengths;
}

// The pixels of all segments, four bytes each; their run lengths go column by column.
export function painted({ size: [height, width], segments }, labels) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (const { label, mask } of segments) {
    const color = [...colorOf(labels.indexOf(label)), STRENGTH];
    let at = 0;
    lengthsOf(mask.counts).forEach((length, turn) => {
      for (const end = at + length; at < end; at++) {
        if (turn % 2) data.set(color, 4 * ((at % height) * width + Math.floor(at / height)));
      }
    });
  }
  return { data, width, height };
}

// Red, green and blue of a class by its number, the same in every answer.
export function colorOf(number) {
  const hue = (number * TURN) % 360;
  const full = number % 2 ? 170 : 235;
  // by how far a hue lies from that of red, green and blue
  return [0, 120, 240].map((own) => {
    const apart = Math.abs(((hue - own + 540) % 360) - 180);
    return Math.round(full * Math.max(0.15, Math.min(1, 2 - apart / 60)));
  });
}

export function overlaid(file, answer, labels) {
  const picture = make("img", { alt: "The picture, with a colour for each class" });
  picture.src = URL.createObjectURL(file);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  const { data, width, height } = painted(answer, labels);
  const canvas = make("canvas", { width, height });
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return make("div", { className: "overlaid" }, picture, canvas);
}

export function legend({ segments }, labels) {
  const entries = segments.map(({ label, share }) => {
    const spot = make("span", { className: "spot", ariaHidden: "true" });
    spot.style.background = `rgb(${colorOf(labels.indexOf(label)).join(" ")})`;
    return make("li", {}, spot, `${label} `, make("span", { className: "soft" }, percent(share)));
  });
  return make("ul", { className: "legend" }, ...entries);
}

export const shares = ({ segments }) => segments.map(({ label, share }) => `${label}, ${percent(share)}`).join("; ");

const percent = (share) => `${(100 * share).toFixed(1)} %`;
