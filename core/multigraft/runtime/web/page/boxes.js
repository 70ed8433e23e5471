// Boxes by their corners [left, top, right, bottom]: overlap, and non-maximum suppression.

export const area = ([left, top, right, bottom]) => (right - left) * (bottom - top);

// The area that two boxes share.
export function shared(one, other) {
  const wide = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const tall = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  return Math.max(wide, 0) * Math.max(tall, 0);
}

// Of the boxes of one class that overlap by more than `iou` the surest; the surest first, at most so many.
export function distinct(found, iou, most) {
  const kept = [];
  for (const each of surestFirst(found)) {
    if (kept.length === most) break;
    if (!kept.some((other) => other.label === each.label && covers(other.box, each.box, iou))) kept.push(each);
  }
  return kept;
}

function covers(one, other, iou) {
  const common = shared(one, other);
  return common > iou * (area(one) + area(other) - common);
}

const surestFirst = (found) => [...found].sort((a, b) => b.score - a.score); // stable, as the standard has it
