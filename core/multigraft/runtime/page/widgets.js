// The widget for a model, by what a person types or drops. Each gives {element, hint, focus, value, stop};
// `value` is {text}, {columns}, {file} or {branches}, or null where nothing is given yet; {text, others} to rank.
import { branchesWidget } from "./branches.js";
import { fileWidget } from "./drop.js";
import { pictureWidget } from "./picture.js";
import { soundWidget } from "./sound.js";
import { rankingWidget } from "./ranking.js";
import { textWidget } from "./text.js";

const NAMES = { extraction: ["Question", "Passage"] };

export function widgetFor({ branches = [], columns, suffixes, media, answers }, actions) {
  if (branches.length) return branchesWidget(branches, actions, widgetFor);
  if (!suffixes.length && answers === "embedding" && columns.length === 1) return rankingWidget(columns, actions);
  if (!suffixes.length) return textWidget(columns, { ...actions, names: NAMES[answers] });
  const widget = { image: pictureWidget, audio: soundWidget }[media] ?? fileWidget;
  return widget(suffixes, actions);
}
