// Windows of one sound joined to one list of frames, {chances, time}, each time of which stands once; as in Python.

const AROUND = 5; // frames that are looked at together where windows may meet
const AS_SURE = 0.01; // what counts as equally sure, in log-probability

// What two windows share goes to the first one until the seam.
export function joinedFrames(windows, blank) {
  const parts = windows.map(realFrames);
  const cuts = [-Infinity, ...parts.slice(1).map((each, place) => seam(parts[place], each, blank)), Infinity];
  return parts.flatMap((frames, place) => frames.filter(({ time }) => time >= cuts[place] && time < cuts[place + 1]));
}

// A window's frames without padding, at seconds of the whole sound.
function realFrames({ row, outputs: { log_probabilities: { data, dims }, times } }) {
  const tokens = dims.at(-1);
  const start = row.start?.data[0] ?? 0;
  return [...times.data].flatMap((time, frame) =>
    time < 0 ? [] : [{ time: time + start, chances: data.subarray(frame * tokens, (frame + 1) * tokens) }],
  );
}

// The second from which on the second window is believed: in the middle half of what both saw, where both hold most
// surely that nothing is said.
function seam(before, behind, blank) {
  const [low, high] = [behind[0].time, before.at(-1).time];
  const [middle, margin] = [(low + high) / 2, (high - low) / 4];
  const inside = behind.map(({ time }, place) => ({ time, place })).filter(({ time }) => time >= low + margin && time <= high - margin);
  if (!inside.length) return middle;
  const [theirs, ours] = [smallest(before, blank), smallest(behind, blank)];
  const silent = inside.map(({ time, place }) => Math.fround(ours[place] + theirs[placeOf(before, time)]));
  const bar = Math.fround(silent.reduce((most, each) => Math.max(most, each), -Infinity) - AS_SURE);
  const sure = inside.filter((_, number) => silent[number] >= bar);
  return sure.reduce((best, each) => (Math.abs(each.time - middle) < Math.abs(best.time - middle) ? each : best)).time;
}

// The first frame that lies at a second or behind it, else the last one.
function placeOf(frames, second) {
  const found = frames.findIndex(({ time }) => time >= second);
  return found < 0 ? frames.length - 1 : found;
}

// Of each frame the smallest chance of the blank among those around it.
function smallest(frames, blank) {
  const half = (AROUND - 1) / 2;
  const values = frames.map(({ chances }) => chances[blank]);
  return values.map((_, place) => Math.min(...values.slice(Math.max(0, place - half), place + half + 1)));
}
