// The corners [left, top] of tiles that cover a picture and share at least a quarter with the next.
import { even } from "./rounding.js";

export function tiles({ width, height }, wide, tall, middle) {
  const across = starts(width, wide, middle);
  return starts(height, tall, middle).flatMap((top) => across.map((left) => [left, top]));
}

function starts(length, side, middle) {
  if (length <= side) return [middle(length - side)];
  const shared = Math.floor(side / 4);
  const count = Math.ceil((length - shared) / (side - shared));
  return Array.from({ length: count }, (_, place) => even((place * (length - side)) / (count - 1)));
}
