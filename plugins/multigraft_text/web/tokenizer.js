// Hugging Face's tokenizer for JavaScript, with what it does otherwise than the one in Rust put right.
import { Tokenizer } from "../vendor/@huggingface/tokenizers/tokenizers.js";
import { longestFirst } from "./truncate.js";

// Ideographs beyond the first plane, which BERT takes as words of their own.
const RARE_IDEOGRAPHS = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

export function openTokenizer(content, maxLength) {
  const library = new Tokenizer(
    { ...content, truncation: null, padding: null },
    { unk_token: content.model.unk_token }, // a word-level model knows it from here only
  );
  const added = new Map(content.added_tokens.map(({ content: text, id }) => [text, id]));
  const unknown = library.model.tokens_to_ids.get(content.model.unk_token) ?? library.model.unk_token_id;
  const prepare = preparation(steps(content.normalizer));
  const untyped = steps(content.post_processor).some(({ type }) => type === "RobertaProcessing");
  const cut = (text) => library.encode_text(prepare(text));
  const framed = (first, second) => library.post_processor?.(first, second, true) ?? plain(first, second);

  return {
    encode(text, other) {
      const [first, second] = [cut(text), other === undefined ? null : cut(other)];
      const frame = framed([], second && []).tokens.length;
      const kept = longestFirst(first, second, maxLength - frame);
      const { tokens, token_type_ids: types } = framed(...kept);
      if (tokens.length <= frame) throw new Error("the tokenizer finds no token in the text");
      const ids = tokens.map((token) => added.get(token) ?? library.model.tokens_to_ids.get(token) ?? unknown);
      if (ids.includes(undefined)) throw new Error("the tokenizer has no token for a part of the text");
      return { ids, types: untyped || !types ? ids.map(() => 0) : types };
    },
  };
}

// A normalizer or post-processor as a list of its parts.
function steps(part) {
  if (!part) return [];
  return (part.normalizers ?? part.processors ?? [part]).flatMap((one) => (one === part ? [one] : steps(one)));
}

// What a text goes through before the library sees it.
function preparation(normalizers) {
  const bert = normalizers.find(({ type }) => type === "BertNormalizer");
  const lowers = bert?.lowercase || normalizers.some(({ type }) => type === "Lowercase");
  return (text) => {
    // in JavaScript a capital sigma at the end of a word becomes another letter than elsewhere
    const even = lowers ? text.replaceAll("\u03a3", "\u03c3") : text;
    return bert?.handle_chinese_chars ? even.replace(RARE_IDEOGRAPHS, " $& ") : even;
  };
}

const plain = (first, second) => ({ tokens: [...first, ...(second ?? [])] });
