// Why an answer is so: a button below it, and then each word, or field, in the colour of what it does to the answer.
import { make } from "./dom.js";

const KINDS = ["text", "columns"];
const FAINT = 0.02; // of the largest weight
const signed = (weight) => (weight < 0 ? "\u2212" : "+") + Math.abs(weight).toFixed(3);

// Whether a model explains answers to such a value on this page.
export const explainable = (model, value) => Boolean(model.explains) && KINDS.some((kind) => value[kind] !== undefined);

// `explain` gives the explanation of the value, or throws; `complain` is told what it throws.
export function whyButton(value, explain, complain) {
  const place = make("div", { className: "why" });
  const button = make("button", { type: "button", className: "plain" }, "Why?");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      place.replaceChildren(...explanation(await explain(), textsOf(value)));
    } catch (error) {
      button.disabled = false;
      complain(error.message);
    }
  });
  place.append(button);
  return place;
}

export function explanation({ of, value, hidden, units, calls, precision, explained_value: another }, texts) {
  const largest = Math.max(...units.map(({ weight }) => Math.abs(weight)), 0) || 1;
  const by = another === undefined ? "" : `; explained by ${precision}, which answers ${another.toFixed(3)}`;
  const told = `${of}: ${value.toFixed(3)}${by}, and ${hidden.toFixed(3)} with all of it hidden (${calls} calls of the model)`;
  const shown = units[0].text === undefined ? [fields(units, largest)] : texts.map((text, number) => words(text, number, units, largest));
  return [make("h3", {}, "What the answer is due to"), ...shown, key(), make("p", { className: "soft small" }, told)];
}

const textsOf = ({ text, columns }) => (columns ? Object.values(columns) : [text]);

// Explanations count characters as Python does; a string here may take two places for one.
function words(text, number, units, largest) {
  const signs = [...text];
  const parts = [];
  let at = 0;
  for (const { text: of, start, end, weight } of units) {
    if (of !== number || start < at) continue;
    parts.push(signs.slice(at, start).join(""), weighed(signs.slice(start, end).join(""), weight, largest));
    at = end;
  }
  return make("p", { className: "marked" }, ...parts, signs.slice(at).join(""));
}

function weighed(text, weight, largest) {
  const share = Math.abs(weight) / largest;
  const side = share < FAINT ? "" : weight > 0 ? "for" : "against";
  const mark = make("mark", { className: `weighed ${side}`, title: signed(weight) }, text);
  mark.style.setProperty("--share", share.toFixed(3));
  return mark;
}

function fields(units, largest) {
  const ordered = [...units].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const items = ordered.map(({ unit, value, weight }) => make("li", {}, weighed(unit, weight, largest), ` ${value ?? ""} ${signed(weight)}`));
  return make("ul", { className: "weights" }, ...items);
}

const key = () =>
  make("p", { className: "small" }, weighed("raises", 1, 1), " ", weighed("lowers", -1, 1), " what is answered");
