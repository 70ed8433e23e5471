// From text to token ids: the reader that the model was trained with, once more.
import { openTokenizer } from "./tokenizer.js";

const MAX_CHARACTERS = 1_000_000;

// `spec` is the bundle's reader; `file(name)` gives one of its files.
export async function openReader(spec, file) {
  const content = JSON.parse(new TextDecoder().decode(await file("tokenizer.json")));
  const tokenizer = openTokenizer(content, spec.max_length);
  return {
    // {text}, or {columns} with a text and a second one.
    read({ text, columns }) {
      const texts = (columns ? Object.values(columns) : [text]).map((each) => clean(each, spec));
      if (texts.length > 2) throw new Error(`found ${texts.length} texts; one or two are needed`);
      const { ids, types } = tokenizer.encode(...texts);
      const row = { input_ids: ids, attention_mask: ids.map(() => 1) };
      if (spec.token_types) row.token_type_ids = types;
      if (spec.full_length) fill(row, spec);
      return Object.fromEntries(Object.entries(row).map(([name, values]) => [name, int64(values)]));
    },
  };
}

const int64 = (values) => ({ data: BigInt64Array.from(values, BigInt), dims: [values.length] });

// Pad a row to its full length; padding is then read as tokens are.
function fill(row, spec) {
  const missing = (value) => Array(spec.max_length - row.input_ids.length).fill(value);
  row.attention_mask = [...row.attention_mask, ...missing(1)];
  if (spec.token_types) row.token_type_ids = [...row.token_type_ids, ...missing(0)];
  row.input_ids = [...row.input_ids, ...missing(spec.pad_id)];
}

function clean(text, spec) {
  if (typeof text !== "string") throw new Error(`found ${typeof text}; text is needed`);
  if (text.length > MAX_CHARACTERS) refuseLong([...text].length);
  if (!text.trim()) throw new Error("the text is empty");
  if (text.includes("\0")) throw new Error("the text holds a NUL; is it binary?");
  if (spec.refuse_replaced && text.includes("\ufffd"))
    throw new Error("the text holds U+FFFD: bytes that could not be decoded");
  if (/\p{Surrogate}/u.test(text)) throw new Error("the text holds half a surrogate pair");
  return text;
}

function refuseLong(count) {
  if (count <= MAX_CHARACTERS) return;
  const [found, most] = [count, MAX_CHARACTERS].map((number) => number.toLocaleString("en"));
  throw new Error(`the text has ${found} characters; at most ${most} are read: cut it in rows`);
}
