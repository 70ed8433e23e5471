// Objects where they stand in the picture: each in a box, and a slider for how sure they must be.
import { make } from "./dom.js";

const AT_FIRST = 0.3;
const HUES = 8; // classes of the style sheet
const NEAR = 0.06; // of the picture's sides: corners whose tags would lie over each other
const [LITTLE, FEW] = [0.12, 8]; // of the picture's sides; with more objects than that, tags would hide little ones
const percent = (share) => `${(100 * share).toFixed(0)} %`;

// Where a box lies in a picture of that size, as shares of its sides.
export function placed([left, top, right, bottom], width, height) {
  const share = (part, whole) => `${(100 * part) / whole}%`;
  return {
    left: share(left, width), top: share(top, height),
    width: share(right - left, width), height: share(bottom - top, height),
  };
}

// What is shown at a threshold: the boxes, by class, and a line that counts them.
export function shownAt(objects, least) {
  const shown = objects.filter(({ score }) => score >= least);
  const counts = new Map();
  for (const { label } of shown) counts.set(label, (counts.get(label) ?? 0) + 1);
  const told = [...counts].map(([label, count]) => (count > 1 ? `${count} ${label}` : label)).join(", ");
  return { shown, told: told || "Nothing is that sure" };
}

// On which line below its corner each box has its tag, so that none covers that of a surer one.
export function lines(shown, width, height) {
  const near = (one, other) =>
    Math.abs(one.box[0] - other.box[0]) < NEAR * width && Math.abs(one.box[1] - other.box[1]) < NEAR * height;
  return shown.map((each, number) => shown.slice(0, number).filter((other) => near(each, other)).length);
}

// Whether a box has its tag only while it is pointed at.
export const onHover = ({ box: [left, top, right, bottom] }, shown, width, height) =>
  shown.length > FEW && right - left < LITTLE * width && bottom - top < LITTLE * height;

export const saidOf = (objects) => shownAt(objects, AT_FIRST).told;

export function objectsIn(file, objects) {
  const picture = make("img", { alt: "The picture that was given" });
  const boxes = make("div", { className: "boxes" });
  const frame = make("div", { className: "objects", hidden: true }, picture, boxes);
  const said = make("p", { className: "best" });
  const share = make("output", { className: "small" });
  const slider = make("input", { type: "range", min: "0", max: "1", step: "0.01", value: String(AT_FIRST) });
  slider.setAttribute("aria-label", "How sure an object must be");
  const labels = [...new Set(objects.map(({ label }) => label))].sort();
  const surest = objects.length ? `; the surest is ${percent(Math.max(...objects.map(({ score }) => score)))}` : "";
  const draw = () => {
    const { shown, told } = shownAt(objects, Number(slider.value));
    share.textContent = `at least ${percent(Number(slider.value))} sure${surest}`;
    said.textContent = told;
    const [width, height] = [picture.naturalWidth || 1, picture.naturalHeight || 1];
    const below = lines(shown, width, height);
    const made = shown.map((each, place) => {
      const element = boxed(each, labels.indexOf(each.label), below[place], width, height);
      element.classList.toggle("on-hover", onHover(each, shown, width, height));
      return element;
    });
    boxes.replaceChildren(...made.reverse());
  };
  slider.addEventListener("input", draw);
  picture.addEventListener("load", () => {
    frame.hidden = false;
    draw();
  });
  const free = () => URL.revokeObjectURL(picture.src);
  picture.addEventListener("load", free);
  picture.addEventListener("error", free); // a format that only the server reads: the list alone
  picture.src = URL.createObjectURL(file);
  draw();
  return [frame, make("div", { className: "row sure" }, slider, share), said];
}

function boxed({ label, score, box }, number, line, width, height) {
  const told = make("small", {}, `${label} ${percent(score)}`);
  told.style.marginTop = `${1.4 * line}em`;
  const element = make("div", { className: `box hue-${number % HUES}`, title: `${label}, ${percent(score)}` }, told);
  Object.assign(element.style, placed(box, width, height));
  return element;
}
