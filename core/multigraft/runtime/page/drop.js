// A value that is a file: dropped, pasted, or chosen with the keyboard.
import { make } from "./dom.js";

export function dropZone(suffixes, { what, taken }) {
  const input = make("input", { type: "file", accept: suffixes.join(",") });
  const title = make("strong", {}, `Drop ${what} here, or choose a file`);
  const said = make("span", { className: "soft small" }, suffixes.join(" "));
  const element = make("label", { className: "drop" }, input, title, said);
  const take = (files) => {
    if (files?.length) taken(files[0]);
  };
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    element.addEventListener(name, (event) => {
      event.preventDefault();
      element.classList.toggle("over", over);
    });
  }
  element.addEventListener("drop", (event) => take(event.dataTransfer.files));
  const pasted = (event) => take(event.clipboardData?.files);
  document.addEventListener("paste", pasted);
  return {
    element,
    focus: () => input.focus(),
    name(file) {
      title.textContent = file.name;
      said.textContent = `${(file.size / 1024).toFixed(1)} KiB; drop or choose another`;
    },
    stop: () => document.removeEventListener("paste", pasted),
  };
}

export function fileWidget(suffixes, { submit }) {
  let file = null;
  const zone = dropZone(suffixes, {
    what: "a file",
    taken(found) {
      file = found;
      zone.name(file);
      submit();
    },
  });
  return { ...zone, hint: "", value: () => file && { file } };
}
