/** A node of a `tokenizer.json`'s pre-tokenizer. */
interface PreTokenizerJson {
  readonly type?: string;
  readonly pretokenizers?: readonly PreTokenizerJson[];
  readonly use_regex?: boolean;
  readonly add_prefix_space?: boolean;
  readonly individual_digits?: boolean;
}

/** How GPT-2 cuts a text into words; the pattern that a ByteLevel pre-tokenizer carries inside. */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const splitAt = (regex: string) => ({ type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false });

function spellOut(node: PreTokenizerJson): PreTokenizerJson {
  if (node.type === "Sequence") return { ...node, pretokenizers: (node.pretokenizers ?? []).map(spellOut) };
  if (node.type === "Digits") return splitAt(node.individual_digits === true ? "\\p{N}" : "\\p{N}+");
  if (node.type !== "ByteLevel" || node.use_regex === false || node.add_prefix_space === true) return node;
  return { type: "Sequence", pretokenizers: [splitAt(WORDS), { ...node, use_regex: false }] };
}

/**
 * The same tokenizer in a spelling that JavaScript reads as Rust does.
 *
 * What counts as whitespace (U+FEFF, U+0085) or as a digit (superscripts, fractions, Roman numerals) differs between the two
 * languages. The tokenizer library translates patterns that stand in the file, but not those inside a ByteLevel or Digits
 * pre-tokenizer, so these are written out as Splits.
 */
export function withUnicodeClasses<T extends object>(json: T): T {
  const node = (json as { pre_tokenizer?: PreTokenizerJson | null }).pre_tokenizer;
  return node ? { ...json, pre_tokenizer: spellOut(node) } : json;
}
