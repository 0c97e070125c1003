import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { numbersOf } from "../support/host-array.js";
import { type EncodeOptions, type LanguageTokenizer, loadTokenizer } from "./tokenizer.js";

const SOURCE = "test/fixtures/tiny-smolvla/base-vlm";
const EXPECTED = JSON.parse(readFileSync("src/policy/tokenizer-expected.json", "utf8"));
const WHOLE: EncodeOptions = { maxLength: 100_000, padding: "longest" };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tokenizer-"));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(SOURCE, name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Changes a copied file. */
function edit(name: string, change: (json: Record<string, unknown>) => Record<string, unknown>): void {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
}

/** Single digits, and `<|im_start|>`, `<|im_end|>` around every text. */
function frame(): void {
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  edit("tokenizer.json", (json) => ({
    ...json,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "Digits", individual_digits: true }, json.pre_tokenizer],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [special("<|im_start|>"), { Sequence: { id: "A", type_id: 0 } }, special("<|im_end|>")],
      pair: [],
      special_tokens: Object.fromEntries(
        ["<|im_start|>", "<|im_end|>"].map((token, i) => [token, { id: token, ids: [i + 1], tokens: [token] }]),
      ),
    },
  }));
}

/** Ids of each text alone. */
const idsOf = (tokenizer: LanguageTokenizer, texts: readonly string[], options: EncodeOptions): number[][] =>
  texts.map((text) => numbersOf(tokenizer.encodeBatch([text], options).ids));

describe("token ids", () => {
  it("equal Python's, whatever the text", async () => {
    expect(idsOf(await loadTokenizer(folder), EXPECTED.texts, WHOLE)).toEqual(EXPECTED.plain);
  });

  it("equal Python's with single digits and special tokens around", async () => {
    frame();
    expect(idsOf(await loadTokenizer(folder), EXPECTED.texts, WHOLE)).toEqual(EXPECTED.framed);
  });

  it.each(["left", "right"] as const)("of too long texts are cut as Python cuts them on the %s", async (side) => {
    const options = { maxLength: 12, padding: "longest", truncationSide: side } as const;
    const name = side === "left" ? "Left" : "Right";
    expect(idsOf(await loadTokenizer(folder), EXPECTED.cutTexts, options)).toEqual(EXPECTED[`cut${name}`]);
    frame();
    expect(idsOf(await loadTokenizer(folder), EXPECTED.cutTexts, options)).toEqual(EXPECTED[`framedCut${name}`]);
  });

  it("are cut on the side that the tokenizer's own files say", async () => {
    edit("tokenizer_config.json", (json) => ({ ...json, truncation_side: "left" }));
    const options = { maxLength: 12, padding: "longest" } as const;
    expect(idsOf(await loadTokenizer(folder), EXPECTED.cutTexts, options)).toEqual(EXPECTED.cutLeft);
  });

  it("are kept whole without truncation", async () => {
    const tokenizer = await loadTokenizer(folder);
    const options = { maxLength: 3, padding: "max_length", truncation: false } as const;
    expect(idsOf(tokenizer, EXPECTED.texts.slice(0, 1), options)).toEqual(EXPECTED.plain.slice(0, 1));
  });
});

describe("a batch", () => {
  const texts = ["pick up\n", "a\n"];

  it("is padded on the right to its longest text", async () => {
    const tokenizer = await loadTokenizer(folder);
    const { ids, mask } = tokenizer.encodeBatch(texts, { maxLength: 24, padding: "longest" });
    const [long, short] = idsOf(tokenizer, texts, WHOLE) as [number[], number[]];
    const numPads = long.length - short.length;
    expect(ids.shape).toEqual([2, long.length]);
    expect(numbersOf(ids)).toEqual([...long, ...short, ...Array(numPads).fill(2)]);
    expect(mask).toMatchObject({ dtype: "bool", shape: [2, long.length] });
    expect(numbersOf(mask)).toEqual([...Array(long.length + short.length).fill(1), ...Array(numPads).fill(0)]);
  });

  it("is padded to the full length, or on the left, if asked", async () => {
    const tokenizer = await loadTokenizer(folder);
    const { ids, mask } = tokenizer.encodeBatch(["a\n"], { maxLength: 5, padding: "max_length", paddingSide: "left" });
    const [bare] = idsOf(tokenizer, ["a\n"], WHOLE) as [number[]];
    const numPads = 5 - bare.length;
    expect(numbersOf(ids)).toEqual([...Array(numPads).fill(2), ...bare]);
    expect(numbersOf(mask)).toEqual([...Array(numPads).fill(0), ...Array(bare.length).fill(1)]);
  });
});

describe("single tokens", () => {
  it("are found by their text", async () => {
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.padId).toBe(2);
    expect(tokenizer.fakeImageTokenId).toBe(4);
    expect(tokenizer.globalImageTokenId).toBe(5);
    expect(tokenizer.tokenId("<end_of_utterance>")).toBe(6);
    expect(() => tokenizer.tokenId("<imgae>")).toThrow(
      `${folder}/tokenizer.json: expected a token "<imgae>", got none. Did you mean "<image>"?`,
    );
  });

  it("may be spelt as objects in the configuration", async () => {
    edit("tokenizer_config.json", (json) => ({ ...json, pad_token: { content: "<|endoftext|>", special: true } }));
    expect((await loadTokenizer(folder)).padId).toBe(0);
  });
});

describe("a tokenizer that cannot be used", () => {
  const expectError = (text: string) => expect(loadTokenizer(folder)).rejects.toThrow(text);

  it("is refused when a file is missing", async () => {
    rmSync(join(folder, "tokenizer.json"));
    await expectError(`${folder}/tokenizer.json: file not found`);
  });
  it("is refused when a file is not JSON", async () => {
    writeFileSync(join(folder, "tokenizer.json"), '{"model": ');
    await expectError(`${folder}/tokenizer.json: expected JSON, got something else (`);
  });
  it("is refused when a part is missing", async () => {
    edit("tokenizer.json", ({ model: _, ...rest }) => rest);
    await expectError(`${folder}/tokenizer.json: expected a tokenizer, got something that cannot be used (`);
  });
  it("is refused when it cuts texts in a way that is not known", async () => {
    edit("tokenizer.json", (json) => ({ ...json, pre_tokenizer: { type: "Morse" } }));
    await expectError(`${folder}/tokenizer.json: expected a tokenizer, got something that cannot be used (`);
  });
  it("is refused when it is no object at all", async () => {
    writeFileSync(join(folder, "tokenizer.json"), "null");
    await expectError(`${folder}/tokenizer.json: expected a tokenizer, got something that cannot be used (`);
  });
  it("is refused without a token to pad with", async () => {
    edit("tokenizer_config.json", ({ pad_token: _, ...rest }) => rest);
    await expectError(`${folder}/tokenizer_config.json: expected a pad_token, got none`);
  });
  it("is refused when the token to pad with is not in the vocabulary", async () => {
    edit("tokenizer_config.json", (json) => ({ ...json, pad_token: "[PAD]" }));
    await expectError(`${folder}/tokenizer.json: expected a token "[PAD]", got none`);
  });
  it("is refused when a setting is wrong", async () => {
    edit("tokenizer_config.json", (json) => ({ ...json, truncation_side: "top" }));
    await expectError(`${folder}/tokenizer_config.json at truncation_side: expected one of "left", "right", got "top"`);
  });
});
