// The nearest integer; of two the even one, as Python rounds.
export function even(value) {
  const below = Math.floor(value);
  const up = value - below === 0.5 ? below % 2 !== 0 : value - below > 0.5;
  return up ? below + 1 : below;
}
