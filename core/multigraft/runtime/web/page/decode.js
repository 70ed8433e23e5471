// From a graph's outputs for one row to its answer, as the predictor decodes them.

export const decoders = { classification, embedding, outputs };

function classification({ labels }, { probabilities }) {
  const scores = [...probabilities.data];
  if (!Array.isArray(labels) || labels.length !== scores.length) {
    throw new Error(`the graph tells ${scores.length} labels apart; the page lists another number`);
  }
  if (!scores.every(Number.isFinite)) throw new Error("the graph gives values that are no numbers; export the run again");
  const ranked = labels.map((label, place) => [label, scores[place]]).sort(([, a], [, b]) => b - a);
  const [label, score] = ranked[0];
  return { label, score, scores: new Map(ranked) };
}

function embedding(targets, outputs) {
  return { embedding: [...outputs.embedding.data] };
}

function outputs(targets, found) {
  const named = Object.entries(found).map(([name, { data, dims }]) => [name, nested([...data].map(Number), dims.slice(1))]);
  return Object.fromEntries(named);
}

// Numbers in a row as the lists in lists that Python gives.
function nested(values, dims) {
  if (!dims.length) return values[0];
  const size = values.length / dims[0];
  return Array.from({ length: dims[0] }, (_, place) => nested(values.slice(place * size, (place + 1) * size), dims.slice(1)));
}

// The answer with fewer scores; without a label where none reaches the threshold.
export function trimmed(answer, { topK, threshold }) {
  if (topK === undefined && threshold === undefined) return answer;
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1)) {
    throw new Error(`threshold is ${threshold}; it must be a number from 0 to 1, as scores are`);
  }
  if (!answer.scores) throw new Error("topK and threshold need a task that ranks labels");
  const kept = [...answer.scores].slice(0, topK);
  if (threshold === undefined) return { ...answer, scores: new Map(kept) };
  const sure = kept.filter(([, score]) => score >= threshold);
  const [label, score] = sure[0] ?? [null, null];
  return { ...answer, label, score, scores: new Map(sure) };
}
