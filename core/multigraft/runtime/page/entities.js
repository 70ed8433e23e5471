// Entities where they stand in the text: each marked, its type behind it, how sure it is on pointing.
import { make } from "./dom.js";

// Answers count characters as Python does; a string here may take two places for one.
export function marked(text, entities) {
  const signs = [...text];
  const parts = [];
  let at = 0;
  for (const { start, end, label, score } of entities) {
    parts.push(signs.slice(at, start).join(""));
    const told = make("small", {}, `\u00a0${label}`); // on the line of the last word
    parts.push(make("mark", { title: `${label}, ${(100 * score).toFixed(1)} %` }, signs.slice(start, end).join(""), told));
    at = end;
  }
  return make("p", { className: "marked" }, ...parts, signs.slice(at).join(""));
}

export const listed = (entities) =>
  entities.length ? entities.map(({ text, label }) => `${text}, ${label}`).join("; ") : "Nothing is named.";
