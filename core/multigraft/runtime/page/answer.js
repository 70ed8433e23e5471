// An answer as a person reads it: a label and its chances, a text with its entities or its answer, a picture with its
// objects or the classes of its pixels, texts in an order, what was written or said, or every field by name.
import { make } from "./dom.js";
import { listed, marked } from "./entities.js";
import { objectsIn, saidOf } from "./objects.js";
import { answered, saidOfPassage } from "./passage.js";
import { rankingList } from "./ranking.js";
import { segmentsIn, shares } from "./segments.js";
import { isTranscript, transcript } from "./transcript.js";
import { ending, written } from "./writing.js";

const SHOWN = 8;
const UNSURE = "No label is sure enough";
const percent = (share) => (share === null ? "?" : `${(100 * share).toFixed(1)} %`);

export function showAnswer(place, { entities, ranking, ...answer }, asked, model = {}, seek) {
  const { score: sure } = answer;
  if (ranking) return place.replaceChildren(rankingList(ranking));
  if (isTranscript(answer)) return place.replaceChildren(...transcript(answer, { seek }));
  if (answer.segments && asked.file) return place.replaceChildren(...segmentsIn(asked.file, answer, model.labels));
  if (isOfPicture(answer, asked)) return place.replaceChildren(...objectsIn(asked.file, answer.objects));
  if (isOfPassage(answer, asked)) {
    return place.replaceChildren(...answered(asked.columns.text_pair, answer), facts({ score: percent(sure) }));
  }
  if (model.streams && typeof asked.text === "string") {
    return place.replaceChildren(written(model, asked.text, answer.text), make("p", { className: "soft small" }, ending(answer)));
  }
  const { label, labels, score, scores, text, ...rest } = answer;
  const parts = [];
  if (entities && typeof asked.text === "string") parts.push(marked(asked.text, entities));
  else if (entities) rest.entities = entities;
  if (text !== undefined) parts.push(make("p", { className: "written" }, text));
  if (label !== undefined) {
    parts.push(make("p", { className: "best" }, label === null ? UNSURE : String(label)));
  }
  if (labels !== undefined) parts.push(make("p", { className: "best" }, labels.length ? labels.join(", ") : UNSURE));
  if (scores && typeof scores === "object") parts.push(...bars(ranked(scores)));
  else if (score !== undefined) rest.score = score;
  if (Object.keys(rest).length) parts.push(facts(rest));
  place.replaceChildren(...parts);
}

const isOfPicture = ({ objects }, asked) => Array.isArray(objects) && asked.file !== undefined && objects.every(({ box }) => box);
const isOfPassage = ({ start, end }, asked) => start !== undefined && end !== undefined && asked.columns?.text_pair !== undefined;

// What a screen reader says when the answer comes.
export function spoken({ label, labels, score, text, value, entities, objects, ranking, segments, start, words }) {
  if (isTranscript({ text, segments, words })) return text ? `Said: ${text}` : "Nothing is said.";
  if (segments) return shares({ segments });
  if (Array.isArray(objects)) return saidOf(objects);
  if (entities) return listed(entities);
  if (ranking) return `Nearest: ${ranking[0].text}`;
  if (start !== undefined) return saidOfPassage({ text });
  if (text !== undefined) return `Written: ${text}`;
  if (labels !== undefined) return labels.length ? `Answer: ${labels.join(", ")}` : `${UNSURE}.`;
  if (typeof value === "number") return `Answer: ${short(value)}`;
  if (label === undefined) return "The answer is there.";
  if (label === null) return `${UNSURE}.`;
  return typeof score === "number" ? `Answer: ${label}, ${percent(score)}` : `Answer: ${label}`;
}

// A plain object would put labels that are numbers before the others, whatever their chances.
function ranked(scores) {
  const entries = scores instanceof Map ? [...scores] : Object.entries(scores);
  return entries.sort(([, a], [, b]) => b - a);
}

function bars(entries) {
  const list = make("ol", { className: "bars" });
  list.setAttribute("aria-label", "Probabilities");
  const show = (some) => list.append(...some.map(bar));
  show(entries.slice(0, SHOWN));
  if (entries.length <= SHOWN) return [list];
  const more = make("button", { type: "button", className: "plain" }, `Show all ${entries.length}`);
  more.addEventListener("click", () => {
    show(entries.slice(SHOWN));
    more.remove();
  });
  return [list, more];
}

function bar([name, share]) {
  const fill = make("span", { className: "fill" });
  fill.style.width = `${100 * Math.max(0, Math.min(1, share ?? 0))}%`;
  const track = make("span", { className: "track", ariaHidden: "true" }, fill);
  return make(
    "li", {},
    make("span", { className: "name" }, name), track, make("span", { className: "share" }, percent(share)),
  );
}

function facts(fields) {
  const list = make("dl", { className: "facts-list" });
  for (const [name, value] of Object.entries(fields)) {
    list.append(make("dt", {}, name), make("dd", {}, told(value)));
  }
  return list;
}

const short = (number) => (Number.isInteger(number) ? String(number) : number.toFixed(3));

function told(value) {
  if (Array.isArray(value) && value.length > 8 && value.every((each) => typeof each === "number")) {
    return `${value.length} numbers: ${value.slice(0, 6).map(short).join(", ")}, …`;
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
