// The class of every pixel, as the predictor tells it: in pixels of the picture as it was given.
import { lengthsByClass, toText } from "./run_lengths.js";

export function segmentation({ labels }, windows) {
  const [width, height] = windows[0].row.picture.data;
  const classes = joined(windows.map((window) => checked(window, labels)), windows, width, height);
  const size = [height, width];
  const areas = labels.map(() => 0);
  for (const number of classes) areas[number]++;
  const lengths = lengthsByClass(classes, width, height, labels.length);
  const order = areas.map((_, number) => number).filter((number) => areas[number]);
  const segments = order.sort((a, b) => areas[b] - areas[a]).map((number) => ({
    label: labels[number],
    share: areas[number] / classes.length,
    mask: { size, counts: toText(lengths[number]) },
  }));
  return { size, segments };
}

function checked({ row: { extent }, outputs: { classes } }, labels) {
  const [, tall, wide] = classes.dims;
  if (wide !== extent.data[0] || tall !== extent.data[1]) {
    throw new Error(`the graph gives classes ${[tall, wide]} for an input of other pixels; export the run again`);
  }
  if (classes.data.some((number) => number >= labels.length)) {
    throw new Error("the graph gives classes without a name; export the run again");
  }
  return classes.data;
}

// The classes of all of a picture's own pixels; where tiles lie over each other, those of the one whose middle is nearer.
function joined(found, windows, width, height) {
  const whole = new Uint8Array(width * height);
  const nearest = new Float32Array(width * height).fill(Infinity);
  found.forEach((classes, number) => {
    const { frame, extent } = windows[number].row;
    const [wide, tall] = extent.data;
    const across = places(width, frame.data[0], frame.data[2], wide);
    const down = places(height, frame.data[4], frame.data[5], tall);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const distance = Math.max(across[x].distance, down[y].distance);
        if (distance >= nearest[at]) continue;
        nearest[at] = distance;
        whole[at] = classes[down[y].inside * wide + across[x].inside];
      }
    }
  });
  return whole;
}

// Of each column or line of a picture: where it lies in the input, and how far from its middle, 1 at the edge.
function places(length, scale, shift, side) {
  return Array.from({ length }, (_, number) => {
    const place = scale * (number + 0.5) + shift;
    const inside = Math.min(Math.max(Math.floor(place), 0), side - 1);
    return { inside, distance: Math.fround(Math.abs((2 * place) / side - 1)) };
  });
}
