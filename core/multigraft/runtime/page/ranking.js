// Texts by how near their embeddings are to that of the first one.
import { make } from "./dom.js";
import { textWidget } from "./text.js";

const OTHERS = "rank-others";

// A text, and others to rank, one a line; without any it is the text's own embedding that is shown.
export function rankingWidget(columns, actions) {
  const one = textWidget(columns, actions);
  const lines = make("textarea", { id: OTHERS, rows: 5 });
  const label = make("label", { htmlFor: OTHERS }, "Texts to rank, one a line");
  label.append(make("span", { className: "soft small" }, " (may be left out)"));
  lines.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    actions.submit();
  });
  return {
    ...one,
    element: make("div", {}, one.element, make("div", { className: "field" }, label, lines)),
    value() {
      const value = one.value();
      const others = lines.value.split("\n").filter((line) => line.trim());
      return value && others.length ? { ...value, others } : value;
    },
  };
}

// `embed` gives an answer for each of many values, one that cannot be read an {error}.
export async function ranked({ text, others }, embed) {
  const { answers, time } = await embed([text, ...others].map((each) => ({ text: each })));
  const [query, ...found] = answers;
  if (query.error) throw new Error(query.error);
  const rows = found.map((answer, place) => ({
    text: others[place], error: answer.error,
    score: answer.error ? -Infinity : cosine(query.embedding, answer.embedding),
  }));
  return { answer: { ranking: rows.sort((a, b) => b.score - a.score) }, time };
}

export function cosine(one, other) {
  const dot = (a, b) => a.reduce((sum, value, place) => sum + value * b[place], 0);
  const length = Math.sqrt(dot(one, one) * dot(other, other));
  return length ? dot(one, other) / length : 0;
}

export function rankingList(ranking) {
  const list = make("ol", { className: "ranking" });
  list.setAttribute("aria-label", "Texts, the nearest first");
  list.append(...ranking.map(({ text, score, error }) =>
    make("li", {}, make("span", { className: "share" }, error ? "?" : score.toFixed(3)), make("span", {}, error ? `${text} (${error})` : text)),
  ));
  return list;
}
