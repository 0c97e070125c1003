import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { CheckpointError, messageOf } from "../support/errors.js";
import { type HostArray, hostArray } from "../support/host-array.js";
import { didYouMean } from "../support/nearest-name.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";
import { withTimeLimit } from "../support/with-time-limit.js";
import { withUnicodeClasses } from "./tokenizer-json.js";

export type Side = "left" | "right";

export interface EncodeOptions {
  /** T is at most this; texts that are longer are cut */
  readonly maxLength: number;
  /** T is the longest text's length, or always `maxLength` */
  readonly padding: "longest" | "max_length";
  /** which end of a text is filled up; the tokenizer's own setting if left out */
  readonly paddingSide?: Side;
  /** which end of a too long text is cut off; the tokenizer's own setting if left out */
  readonly truncationSide?: Side;
  /** false to keep texts whole, however long; true if left out */
  readonly truncation?: boolean;
}

export interface EncodedBatch {
  /** int64 `[B, T]` */
  readonly ids: HostArray;
  /** bool `[B, T]`, false where padded */
  readonly mask: HostArray;
}

/** Turns tasks into the token ids of a vision-language model, as the Python `transformers` library does. */
export interface LanguageTokenizer {
  encodeBatch(texts: readonly string[], options: EncodeOptions): EncodedBatch;
  /** the id of a token given by its text. @throws CheckpointError if there is none */
  tokenId(content: string): number;
  readonly padId: number;
  /** around each image, where a policy asks for image special tokens; undefined if the tokenizer has none */
  readonly fakeImageTokenId: number | undefined;
  /** before a whole image, likewise */
  readonly globalImageTokenId: number | undefined;
}

const side = z.enum(["left", "right"]).nullish();
const token = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish();
const CONFIG_SCHEMA = z.looseObject({
  pad_token: token,
  fake_image_token: token,
  global_image_token: token,
  truncation_side: side,
  padding_side: side,
});
type TokenizerConfig = z.infer<typeof CONFIG_SCHEMA>;

/** Of one text. A long one takes milliseconds, a pattern that goes back over it again and again takes forever. */
const TIME_LIMIT_MS = 10_000;

/** What of a `tokenizer.json` is read here; the rest is the tokenizer library's. */
interface TokenizerJson {
  readonly truncation?: { readonly direction?: string } | null;
  readonly padding?: { readonly direction?: string; readonly pad_token?: string } | null;
}

/**
 * The tokenizer in a folder: `tokenizer.json` and `tokenizer_config.json`.
 *
 * @param timeLimitMs for one text
 * @throws CheckpointError naming the file that is missing or damaged, or the token that is missing
 */
export async function loadTokenizer(folder: string, timeLimitMs = TIME_LIMIT_MS): Promise<LanguageTokenizer> {
  const path = join(folder, "tokenizer.json");
  const configPath = join(folder, "tokenizer_config.json");
  const json = ((await readJson(path)) ?? {}) as TokenizerJson;
  const config = parseWithSchema(CONFIG_SCHEMA, await readJson(configPath), configPath);
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(withUnicodeClasses(json), config);
    withTimeLimit(timeLimitMs, () => tokenizer.encode("a test of all parts"));
  } catch (error) {
    throw new CheckpointError(`${path}: expected a tokenizer, got something that cannot be used (${messageOf(error)})`);
  }
  return makeLanguageTokenizer(tokenizer, json, config, { path, configPath, timeLimitMs });
}

function makeLanguageTokenizer(
  tokenizer: Tokenizer,
  json: TokenizerJson,
  config: TokenizerConfig,
  {
    path,
    configPath,
    timeLimitMs,
  }: { readonly path: string; readonly configPath: string; readonly timeLimitMs: number },
): LanguageTokenizer {
  const tokenId = (content: string): number => {
    const id = tokenizer.token_to_id(content);
    if (id === undefined) {
      const hint = didYouMean(content, [...tokenizer.get_vocab().keys()]);
      throw new CheckpointError(`${path}: expected a token "${content}", got none${hint}`);
    }
    return id;
  };
  const padToken = config.pad_token ?? json.padding?.pad_token;
  if (padToken === undefined) throw new CheckpointError(`${configPath}: expected a pad_token, got none`);
  const sides = {
    truncationSide: config.truncation_side ?? asSide(json.truncation?.direction),
    paddingSide: config.padding_side ?? asSide(json.padding?.direction),
  };
  const padId = tokenId(padToken);
  return {
    padId,
    tokenId,
    fakeImageTokenId: tokenizer.token_to_id(config.fake_image_token ?? "<fake_token_around_image>"),
    globalImageTokenId: tokenizer.token_to_id(config.global_image_token ?? "<global-img>"),
    encodeBatch(texts, options) {
      const { maxLength, truncation = true, truncationSide = sides.truncationSide } = options;
      const limit = truncation ? maxLength : Number.POSITIVE_INFINITY;
      const idsOf = new Map<string, readonly number[]>(); // rows of a batch mostly have the same task
      for (const text of texts) {
        if (idsOf.has(text)) continue;
        const ids = () => encode(tokenizer, text, limit, truncationSide);
        idsOf.set(text, inTime(path, text, timeLimitMs, ids));
      }
      return padRows(
        texts.map((text) => idsOf.get(text)!),
        { ...sides, ...options, padId },
      );
    },
  };
}

/** @throws CheckpointError naming the file if its patterns take too long for a text, or cannot be used on it */
function inTime<T>(path: string, text: string, limitMs: number, work: () => T): T {
  try {
    return withTimeLimit(limitMs, work);
  } catch (error) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
    throw new CheckpointError(`${path}: cannot be used on the text ${JSON.stringify(shown)} (${messageOf(error)})`);
  }
}

const asSide = (direction: string | undefined): Side => (direction?.toLowerCase() === "left" ? "left" : "right");

/** Ids without those of unknown tokens for which the vocabulary has no substitute: Python leaves them out too. */
const knownIds = (ids: readonly (number | undefined)[]): number[] => ids.filter((id) => typeof id === "number");

/**
 * The ids of one text. Special tokens that the tokenizer puts around every text survive the cut: the text alone is cut,
 * to the room that they leave.
 */
function encode(tokenizer: Tokenizer, text: string, limit: number, truncationSide: Side): number[] {
  const whole = knownIds(tokenizer.encode(text).ids);
  if (whole.length <= limit) return whole;
  const bare = knownIds(tokenizer.encode(text, { add_special_tokens: false }).ids);
  const numAdded = whole.length - bare.length;
  let numBefore = 0;
  while (numBefore < numAdded && !bare.every((id, i) => id === whole[numBefore + i])) numBefore++;
  const room = Math.max(0, limit - numAdded);
  const cut = truncationSide === "left" ? bare.slice(bare.length - room) : bare.slice(0, room);
  return [...whole.slice(0, numBefore), ...cut, ...whole.slice(numBefore + bare.length)];
}

function padRows(
  rows: readonly (readonly number[])[],
  options: EncodeOptions & { readonly paddingSide: Side; readonly padId: number },
): EncodedBatch {
  const longest = Math.max(0, ...rows.map((row) => row.length));
  const length = options.padding === "longest" ? longest : Math.max(longest, options.maxLength);
  const ids = new BigInt64Array(rows.length * length).fill(BigInt(options.padId));
  const mask = new Uint8Array(rows.length * length);
  for (const [index, row] of rows.entries()) {
    const start = index * length + (options.paddingSide === "left" ? length - row.length : 0);
    ids.set(row.map(BigInt), start);
    mask.fill(1, start, start + row.length);
  }
  return {
    ids: hostArray("int64", [rows.length, length], ids),
    mask: hostArray("bool", [rows.length, length], mask),
  };
}
