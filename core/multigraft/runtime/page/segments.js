// Segments of a picture: each class as a colour over its pixels, and a legend that shows and hides them.
import { make } from "./dom.js";

const STRENGTH = 140; // of 255
const GROUND = "background"; // not painted at first: it would cover most of the picture
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

// The pixels of the segments but those `hidden`, four bytes each; their run lengths go column by column.
export function painted({ size: [height, width], segments }, labels, hidden = new Set()) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (const { label, mask } of segments.filter((each) => !hidden.has(each.label))) {
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
  const full = [235, 170, 120][number % 3]; // hues come near each other again after eight classes
  // by how far a hue lies from that of red, green and blue
  return [0, 120, 240].map((own) => {
    const apart = Math.abs(((hue - own + 540) % 360) - 180);
    return Math.round(full * Math.max(0.15, Math.min(1, 2 - apart / 60)));
  });
}

// The picture under its classes, and the legend.
export function segmentsIn(file, answer, labels) {
  const picture = make("img", { alt: "The picture, with a colour for each class" });
  picture.src = URL.createObjectURL(file);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  const [height, width] = answer.size;
  const canvas = make("canvas", { width, height });
  const hidden = new Set(answer.segments.length > 1 ? [GROUND] : []);
  const draw = () => {
    const { data } = painted(answer, labels, hidden);
    canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  };
  draw();
  return [make("div", { className: "overlaid" }, picture, canvas), legend(answer, labels, hidden, draw)];
}

export function legend({ segments }, labels, hidden, draw) {
  const entries = segments.map(({ label, share }) => {
    const onchange = ({ target }) => {
      hidden[target.checked ? "delete" : "add"](label);
      draw();
    };
    const shown = make("input", { type: "checkbox", checked: !hidden.has(label), onchange });
    shown.style.accentColor = `rgb(${colorOf(labels.indexOf(label)).join(" ")})`;
    return make("li", {}, make("label", {}, shown, `${label} `, make("span", { className: "soft" }, percent(share))));
  });
  return make("ul", { className: "legend" }, ...entries);
}

export const shares = ({ segments }) => segments.map(({ label, share }) => `${label}, ${percent(share)}`).join("; ");

const percent = (share) => `${(100 * share).toFixed(1)} %`;
