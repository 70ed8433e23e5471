// Objects in a picture, as the predictor tells them: boxes in pixels of the picture as it was given.
import { area } from "./boxes.js";
import { joined } from "./tiled_boxes.js";

const CANDIDATES = 1000; // the surest boxes of one window that are compared with each other
const EDGE = 2; // pixels of the input within which a box touches the edge of its tile
const SET = "queries"; // the boxes of a graph that gives each object once
const [OVERLAP, ANY] = [0.6, 2]; // the most that two boxes of one class overlap unless asked; and more than any do

export function detection({ labels }, windows, { threshold, iou, top_k: most }) {
  const parts = windows.map((window, tile) => found(window, labels, threshold, tile));
  const told = ({ label, score, box }) => ({ label: labels[label], score, box: box.map(hundredths) });
  return { objects: joined(parts, iou ?? overlap(windows), most).map(told) };
}

// An object of a set that is seen in two tiles stands twice.
function overlap(windows) {
  return windows.length === 1 && SET in windows[0].outputs ? ANY : OVERLAP;
}

function found({ row, outputs }, labels, threshold, tile) {
  const [boxes, scores] = [outputs[SET] ?? outputs.boxes, outputs.scores];
  const classes = scores.dims.at(-1);
  if (classes !== labels.length) throw new Error(`the graph tells ${classes} classes apart; the page lists ${labels.length}`);
  if (![boxes, scores].every(({ data }) => data.every(Number.isFinite))) {
    throw new Error("the graph gives values that are no numbers; export the run again");
  }
  const each = surest(scores.data, threshold).map((place) => {
    const position = 4 * Math.floor(place / classes);
    const placed = inPicture(boxes.data.slice(position, position + 4), row);
    return { label: place % classes, score: scores.data[place], ...placed, tile };
  });
  return each.filter(({ box }) => area(box) > 0);
}

// The places of the surest scores that reach the threshold; of equal ones the first.
function surest(scores, threshold) {
  const least = Math.fround(threshold); // as numpy compares
  const there = [];
  scores.forEach((score, place) => score >= least && there.push(place));
  if (there.length <= CANDIDATES) return there;
  return there.sort((a, b) => scores[b] - scores[a] || a - b).slice(0, CANDIDATES).sort((a, b) => a - b);
}

// A box of the input's pixels in those of the picture, and which of its sides the edge of a tile cuts off.
function inPicture(corners, { frame, extent, picture }) {
  const [across, , left, , down, top] = frame.data;
  const [scales, shifts] = [[across, down], [left, top]];
  const near = Math.fround(EDGE / Math.fround(Math.sqrt(Math.abs(Math.fround(across * down)))));
  const [box, cut] = [[], []];
  corners.forEach((corner, side) => {
    const [limit, whole] = [extent.data[side % 2], picture.data[side % 2]];
    const inner = Math.min(Math.max(corner, 0), limit);
    const scale = 1 / scales[side % 2];
    const place = inner * scale - scale * shifts[side % 2];
    const within = place > near && place < whole - near; // the edge of the picture itself cuts nothing off
    cut[side] = within && (inner < EDGE || inner > limit - EDGE);
    box[side] = Math.min(Math.max(place, 0), whole);
  });
  return { box, cut };
}

// To two decimals, of two the even one, as numpy rounds.
function hundredths(value) {
  const below = Math.floor(100 * value);
  const over = 100 * value - below;
  return (over > 0.5 || (over === 0.5 && below % 2) ? below + 1 : below) / 100;
}
