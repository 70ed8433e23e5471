// A value of several branches: a widget for each, one below another.
import { make } from "./dom.js";

export function branchesWidget(branches, { submit, complain }, widgetFor) {
  // what is dropped is not sent at once: the other branches may still be empty
  const parts = branches.map((branch) => {
    const actions = { submit: branch.suffixes.length ? () => {} : submit, complain, prefix: branch.name };
    return { name: branch.name, widget: widgetFor(branch, actions) };
  });
  const titled = parts.map(({ name, widget }) =>
    make("fieldset", { className: "branch" }, make("legend", {}, name), widget.element),
  );
  return {
    element: make("div", {}, ...titled),
    hint: "What a row may lack can be left empty.",
    focus: () => parts[0].widget.focus(),
    // {branches}: the value of each branch by its name, null where none has any
    value() {
      const given = parts.map(({ name, widget }) => [name, widget.value()]).filter(([, value]) => value);
      return given.length ? { branches: Object.fromEntries(given) } : null;
    },
    stop: () => parts.forEach(({ widget }) => widget.stop()),
  };
}
