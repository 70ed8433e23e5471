// What is said in a sound, with the time of each word: the most probable alignment by CTC, as the predictor takes it.
import { joinedFrames } from "./seams.js";

export function transcription({ vocabulary, blank = 0 }, windows, { characters: told }) {
  for (const { outputs } of windows) check(outputs.log_probabilities, vocabulary);
  const frames = joinedFrames(windows, blank);
  const said = spelled(bestPath(frames, blank), frames, vocabulary);
  const words = wordsOf(said);
  const heard = said.filter(({ text }) => !isSpace(text));
  const sure = words.length ? heard.map(({ score }) => score) : frames.map(({ chances }) => chance(chances[blank]));
  const answer = { text: words.map(({ text }) => text).join(" "), score: mean(sure), words };
  return told ? { ...answer, characters: said } : answer;
}

function check({ data, dims }, vocabulary) {
  const tokens = dims.at(-1);
  if (tokens !== vocabulary.length) {
    throw new Error(`the graph tells ${tokens} tokens apart; the vocabulary has ${vocabulary.length}`);
  }
  if (data.some(Number.isNaN)) throw new Error("the graph gives values that are no numbers; export the run again");
}

// The tokens of the most probable alignment: each with the frames in which it is said.
function bestPath(frames, blank) {
  const path = frames.map(({ chances }) => chances.reduce((best, value, token) => (value > chances[best] ? token : best), 0));
  const found = [];
  path.forEach((token, frame) => {
    if (frame && path[frame - 1] === token) found.at(-1).last = frame;
    else found.push({ token, first: frame, last: frame });
  });
  return found.filter(({ token }) => token !== blank);
}

// What is written, a token each, with its time.
function spelled(said, frames, vocabulary) {
  const half = frameSeconds(frames) / 2;
  return said
    .filter(({ token }) => vocabulary[token])
    .map(({ token, first, last }) => ({
      text: vocabulary[token],
      start: rounded(Math.max(frames[first].time - half, 0)),
      end: rounded(frames[last].time + half),
      score: mean(frames.slice(first, last + 1).map(({ chances }) => chance(chances[token]))),
    }));
}

function wordsOf(said) {
  const words = [];
  let open = null;
  for (const each of said) {
    if (isSpace(each.text)) open = null;
    else if (open) open.push(each);
    else words.push((open = [each]));
  }
  return words.map((signs) => ({
    text: signs.map(({ text }) => text).join(""),
    start: signs[0].start,
    end: signs.at(-1).end,
    score: mean(signs.map(({ score }) => score)),
  }));
}

// How long one frame is; of a single one, which lies in the middle of its time, twice that.
function frameSeconds(frames) {
  if (frames.length < 2) return 2 * (frames[0]?.time ?? 0);
  return (frames.at(-1).time - frames[0].time) / (frames.length - 1);
}

const isSpace = (text) => /^\s+$/.test(text);
const chance = (logarithm) => Math.fround(Math.exp(logarithm));
const mean = (values) => (values.length ? Math.min(values.reduce((sum, value) => sum + value, 0) / values.length, 1) : 0);
const rounded = (seconds) => Number(seconds.toFixed(3));
