// A question's answer where it stands in its passage, or that there is none.
import { make } from "./dom.js";
import { marked } from "./entities.js";

const NONE = "No answer in this passage";

export function answered(passage, { text, start, end, score, best }) {
  const told = text === null ? [] : [{ start, end, label: "answer", score }];
  const parts = [make("p", { className: "best" }, text ?? NONE), marked(passage, told)];
  if (text === null && best) parts.push(make("p", { className: "soft small" }, `The likeliest piece would be “${best.text}”.`));
  return parts;
}

export const saidOfPassage = ({ text }) => (text === null ? `${NONE}.` : `Answer: ${text}`);
