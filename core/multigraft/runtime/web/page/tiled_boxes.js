// Boxes of a picture that was read in tiles: each object once, and whole.
import { area, distinct, shared } from "./boxes.js";

const INSIDE = 0.7; // the share of a box that was cut off from which another tile's box covers it
const AGREE = 0.5; // how much of their common extent two halves share across the cut

// `parts`: of each tile its [{label, score, box, cut, tile}]; `cut`: the sides at which the tile's edge cuts it off.
export function joined(parts, iou, most) {
  const apart = parts.map((part) => distinct(part, iou, most));
  if (apart.length === 1) return apart[0];
  return distinct(stitched(whole(apart.flat())), iou, most);
}

const elsewhere = (one, other) => one.tile !== other.tile && one.label === other.label;
const isCut = ({ cut }) => cut.some(Boolean);

// Without those that are cut off where another tile has a whole one around them.
function whole(found) {
  const around = (one, each) =>
    elsewhere(one, each) && !isCut(one) && shared(one.box, each.box) > INSIDE * area(each.box);
  return found.filter((each) => !isCut(each) || !found.some((one) => around(one, each)));
}

// Halves on both sides of a cut as one box, as sure as the surer.
function stitched(found) {
  const boxes = found.map((each) => ({ ...each, box: [...each.box], cut: [...each.cut] }));
  const gone = new Set();
  for (const axis of [0, 1]) {
    const halves = boxes.flatMap((one) =>
      boxes.filter((other) => one.cut[axis + 2] && other.cut[axis] && elsewhere(one, other)).map((other) => [one, other]),
    );
    for (const [one, other] of halves) {
      if (gone.has(one) || gone.has(other) || !goesOn(one.box, other.box, axis)) continue;
      one.box = one.box.map((side, place) => (place < 2 ? Math.min : Math.max)(side, other.box[place]));
      one.score = Math.max(one.score, other.score);
      one.cut[axis + 2] = other.cut[axis + 2];
      gone.add(other);
    }
  }
  return boxes.filter((each) => !gone.has(each));
}

// Whether a box goes on in another one, to the right or below.
function goesOn(one, other, axis) {
  const across = 1 - axis;
  const common = Math.min(one[across + 2], other[across + 2]) - Math.max(one[across], other[across]);
  const extent = Math.max(one[across + 2], other[across + 2]) - Math.min(one[across], other[across]);
  const meets = one[axis] < other[axis] && other[axis] <= one[axis + 2] && one[axis + 2] < other[axis + 2];
  return meets && common > AGREE * extent;
}
