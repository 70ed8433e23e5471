// From a value's windows, each {row, outputs}, to its answer, as the predictor makes it; mostly there is one.
import { detection } from "./detection.js";
import { segmentation } from "./segmentation.js";
import { transcription } from "./transcription.js";

export const answers = {
  classification, detection, embedding, multilabel, outputs, regression, segmentation, transcription,
};

// Those that are made of all windows of a value; the others look at its first alone.
export const inWindows = new Set(["detection", "segmentation", "transcription"]);

function classification(targets, [{ outputs }], { top_k: most, threshold }) {
  const ranked = rankedLabels(targets, outputs, most);
  const kept = threshold === undefined ? ranked : ranked.filter(([, score]) => score >= threshold);
  const [label, score] = kept[0] ?? [null, null];
  return { label, score, scores: new Map(kept) };
}

function multilabel(targets, [{ outputs }], { top_k: most, threshold }) {
  const ranked = rankedLabels(targets, outputs, most);
  const bars = new Map(targets.labels.map((label, place) => [label, threshold ?? targets.thresholds?.[place] ?? 0.5]));
  const reached = ranked.filter(([label, score]) => score >= bars.get(label));
  return { labels: reached.map(([label]) => label), scores: new Map(ranked) };
}

// Each label with its probability, best first.
function rankedLabels({ labels }, { probabilities }, most) {
  const scores = [...probabilities.data];
  if (!Array.isArray(labels) || labels.length !== scores.length) {
    throw new Error(`the graph tells ${scores.length} labels apart; the page lists another number`);
  }
  if (!scores.every(Number.isFinite)) throw new Error("the graph gives values that are no numbers; export the run again");
  return labels.map((label, place) => [label, scores[place]]).sort(([, a], [, b]) => b - a).slice(0, most);
}

function embedding(targets, [{ outputs }]) {
  return { embedding: [...outputs.embedding.data] };
}

function outputs(targets, [{ outputs: found }]) {
  const named = Object.entries(found).map(([name, { data, dims }]) => [name, nested([...data].map(Number), dims.slice(1))]);
  return Object.fromEntries(named);
}

function regression({ names, quantiles: levels = [] }, [{ outputs: { numbers: { data, dims } } }]) {
  const found = [...data];
  const wanted = levels.length ? [names.length, levels.length] : [names.length];
  if (String(dims.slice(1)) !== String(wanted)) throw new Error(`the graph gives numbers ${dims.slice(1)}; the page lists ${wanted}`);
  if (!found.every(Number.isFinite)) throw new Error("the graph gives values that are no numbers; export the run again");
  const alone = String(names) === "target";
  const named = (each) => (alone ? each[0] : Object.fromEntries(names.map((name, place) => [name, each[place]])));
  const answer = (values) => ({ [alone ? "value" : "values"]: named(values) });
  if (!levels.length) return answer(found);
  const ordered = nested(found, wanted).map((row) => row.sort((a, b) => a - b));
  const quantiles = ordered.map((row) => Object.fromEntries(levels.map((level, place) => [String(level), row[place]])));
  return { ...answer(ordered.map((row) => row[levels.indexOf(0.5)])), quantiles: named(quantiles) };
}

// Numbers in a row as the lists in lists that Python gives.
function nested(values, dims) {
  if (!dims.length) return values[0];
  const size = values.length / dims[0];
  return Array.from({ length: dims[0] }, (_, place) => nested(values.slice(place * size, (place + 1) * size), dims.slice(1)));
}

const TYPES = {
  integer: Number.isInteger,
  number: Number.isFinite,
  boolean: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
};

// What is asked of an answer, with the defaults filled in, checked against what may be asked.
export function checkedAsked(asks, asked) {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of given) {
    const refused = (why) => new Error(`${name} is ${value}; ${why}`);
    if (!asks[name]) throw refused(`allowed: ${Object.keys(asks).join(", ") || "nothing may be asked"}`);
    const { types, low = -Infinity, high = Infinity, choices } = asks[name];
    if (!types.some((type) => TYPES[type]?.(value))) throw refused(`it should be ${types.join(" or ")}`);
    if (value < low) throw refused(`it should be at least ${low}`);
    if (value > high) throw refused(`it should be at most ${high}`);
    if (choices && !choices.includes(value)) throw refused(`allowed: ${choices.join(", ")}`);
  }
  const defaults = Object.entries(asks).map(([name, option]) => [name, option.default]);
  return { ...Object.fromEntries(defaults), ...Object.fromEntries(given) };
}
