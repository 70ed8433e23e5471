// A value that is typed: one field for each column, of which all but the first may stay empty unless they have names.
import { make } from "./dom.js";

export function textWidget(columns, { submit, prefix = "column", names }) {
  const fields = columns.map((name, place) => field(name, place, { submit, id: `${prefix}-${place}`, title: names?.[place] }));
  const filled = () => {
    const given = fields.map(({ input }) => input.value);
    while (given.length > 1 && !given.at(-1).trim()) given.pop();
    return given;
  };
  return {
    element: make("div", {}, ...fields.map(({ element }) => element)),
    hint: "Ctrl + Enter answers too.",
    focus: () => fields[0].input.focus(),
    // {text} of one column, {columns} of several, null where nothing was typed
    value() {
      const given = filled();
      if (!given[0].trim()) return null;
      if (given.length === 1) return { text: given[0] };
      return { columns: Object.fromEntries(given.map((text, place) => [columns[place], text])) };
    },
    stop() {},
  };
}

function field(name, place, { submit, id, title }) {
  const input = make("textarea", { id, rows: place ? 2 : 4, required: !place || Boolean(title) });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    }
  });
  const words = title ?? name.replaceAll("_", " ");
  const label = make("label", { htmlFor: input.id }, words.charAt(0).toUpperCase() + words.slice(1));
  if (place && !title) label.append(make("span", { className: "soft small" }, " (may be left out)"));
  return { input, element: make("div", { className: "field" }, label, input) };
}
