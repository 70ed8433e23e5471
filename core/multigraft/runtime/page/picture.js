// A picture: dropped, pasted or chosen, and shown before it is sent.
import { make } from "./dom.js";
import { dropZone } from "./drop.js";

export function pictureWidget(suffixes, { submit }) {
  let file = null;
  let address = null;
  const preview = make("img", { hidden: true });
  const none = make("span", { className: "soft small", hidden: true }, "No preview: a browser does not show such a file.");
  const forget = () => address && URL.revokeObjectURL(address);
  const zone = dropZone(suffixes, {
    what: "a picture",
    taken(found) {
      forget();
      file = found;
      address = URL.createObjectURL(file);
      preview.src = address;
      preview.alt = `Preview of ${file.name}`;
      preview.hidden = false;
      none.hidden = true;
      zone.name(file);
      submit();
    },
  });
  preview.addEventListener("error", () => {
    preview.hidden = true; // a format that only the server reads
    none.hidden = false;
  });
  zone.element.prepend(preview, none);
  return {
    element: zone.element,
    hint: "",
    focus: zone.focus,
    value: () => file && { file },
    stop() {
      forget();
      zone.stop();
    },
  };
}
