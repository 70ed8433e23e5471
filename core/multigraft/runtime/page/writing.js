// A text as it is written: a summary or a translation beside its source, a continuation behind its prompt.
import { make } from "./dom.js";

const TITLES = { summary: "Summary", translation: "Translation", text: "Text" };

// What the model reads whole stands beside what it writes.
export const isBeside = ({ answers }) => answers in TITLES;

export function written(model, source, text) {
  const said = make("p", { className: "written" }, text);
  if (!isBeside(model)) return make("p", { className: "written" }, make("span", { className: "soft" }, source), text);
  const column = (title, held) => make("div", {}, make("h3", {}, title), held);
  return make(
    "div", { className: "beside" },
    column("Source", make("p", { className: "written soft" }, source)), column(TITLES[model.answers], said),
  );
}

const WHY = { stop: "ended by itself", length: "cut off at the most allowed" };

const readOf = (cut) => (cut ? `; the first ${cut.takes} of the source’s ${cut.has} tokens were read` : "");

export const ending = ({ tokens, ended, cut }) => `${tokens.length} tokens, ${WHY[ended] ?? ended}${readOf(cut)}`;
