// Two texts share the room that a row has: the longer one is cut first, then both to halves.

export function longestFirst(first, second, room) {
  if (!second) return [first.slice(0, room), null];
  if (first.length + second.length <= room) return [first, second];
  const short = Math.min(first.length, second.length);
  let sizes = [short, short > room ? short : Math.max(short, room - short)];
  if (sizes[0] + sizes[1] > room) sizes = [Math.floor(room / 2), Math.floor(room / 2) + (room % 2)];
  if (first.length > second.length) sizes.reverse();
  return [first.slice(0, sizes[0]), second.slice(0, sizes[1])];
}
