// Run lengths of masks as COCO writes them: column by column, of 0 and 1 in turn, 0 first.

// Of each class the run lengths of its pixels, in one walk through all of them.
export function lengthsByClass(classes, width, height, count) {
  const lengths = Array.from({ length: count }, () => []);
  const ended = new Array(count).fill(0);
  const all = width * height;
  const at = (place) => classes[(place % height) * width + Math.floor(place / height)];
  for (let start = 0, end = 1; start < all; start = end++) {
    const number = at(start);
    while (end < all && at(end) === number) end++;
    lengths[number].push(start - ended[number], end - start);
    ended[number] = end;
  }
  lengths.forEach((own, number) => ended[number] < all && own.push(all - ended[number]));
  return lengths;
}

// COCO's compressed form: from the fourth on each number as the difference to the one two before, five bits a letter.
export function toText(lengths) {
  let text = "";
  lengths.forEach((length, place) => {
    let value = place > 2 ? length - lengths[place - 2] : length;
    for (let more = true; more; ) {
      const part = value & 31;
      value >>= 5;
      more = value !== (part & 16 ? -1 : 0);
      text += String.fromCharCode((more ? part | 32 : part) + 48);
    }
  });
  return text;
}
