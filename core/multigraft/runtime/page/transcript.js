// What is said in a sound: segments or words with their times, each of which plays the sound from there.
import { make } from "./dom.js";

// A transcript, or what a recogniser says of a short sound.
export const isTranscript = ({ text, segments, words }) => typeof text === "string" && Array.isArray(segments ?? words);

// `seek` plays the sound from a second on; `heard` is how much of it was, while more is to come.
export function transcript({ segments, words }, { seek, heard } = {}) {
  const told = segments ?? linesOf(words);
  const list = make("ol", { className: "transcript" }, ...told.map((each) => line(each, seek)));
  list.setAttribute("aria-label", "Transcript");
  if (heard !== undefined) return [list, soft(`Heard ${clock(heard)} …`)];
  return told.length ? [list] : [soft("Nothing is said.")];
}

const soft = (text) => make("p", { className: "soft small" }, text);

function line({ start, end, text, words }, seek) {
  const said = make("span", {}, ...(words ? words.flatMap((word) => [worded(word), " "]) : [text]));
  return make("li", {}, jump(start, end, seek), said);
}

function worded({ text, start, end }) {
  return make("span", { title: `${clock(start)} to ${clock(end)}` }, text);
}

function jump(start, end, seek) {
  const label = `${clock(start)}`;
  if (!seek) return make("span", { className: "time" }, label);
  const button = make("button", { type: "button", className: "plain time", title: `Play from ${label} to ${clock(end)}` }, label);
  button.addEventListener("click", () => seek(start));
  return button;
}

const PAUSE = 0.6; // seconds without a word that begin another line

function linesOf(words) {
  const lines = [];
  for (const word of words) {
    const before = lines.at(-1)?.at(-1);
    if (before && word.start - before.end <= PAUSE) lines.at(-1).push(word);
    else lines.push([word]);
  }
  return lines.map((held) => ({ start: held[0].start, end: held.at(-1).end, words: held }));
}

// Seconds as minutes, as 1:02.5; of an hour and more with it.
export function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
