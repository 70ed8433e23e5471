// The widget for a model, by what a person types or drops. Each gives {element, hint, focus, value, stop};
// `value` is {text}, {columns}, {file} or {branches}, or null where nothing is given yet.
import { branchesWidget } from "./branches.js";
import { fileWidget } from "./drop.js";
import { pictureWidget } from "./picture.js";
import { soundWidget } from "./sound.js";
import { textWidget } from "./text.js";

export function widgetFor({ branches = [], columns, suffixes, media }, actions) {
  if (branches.length) return branchesWidget(branches, actions, widgetFor);
  if (!suffixes.length) return textWidget(columns, actions);
  const widget = { image: pictureWidget, audio: soundWidget }[media] ?? fileWidget;
  return widget(suffixes, actions);
}
