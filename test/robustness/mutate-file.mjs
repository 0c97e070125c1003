// One mutant of a file, by what the file is.
import { mutateBytes, mutateMp4 } from "./mutate-bytes.mjs";
import { mutateJson } from "./mutate-json.mjs";

/** @typedef {ReturnType<typeof import("./random.mjs").randomOf>} Random */
/** @typedef {{ bytes: Buffer, damage: string }} Mutant */

/** @param {Buffer} original @param {Random} random @returns {Mutant} */
function json(original, random) {
  if (random.below(4) === 0) return mutateBytes(original, random);
  const { text, damage } = mutateJson(original.toString("utf8"), random);
  return { bytes: Buffer.from(text), damage };
}

/** @param {Buffer} original @param {Random} random @returns {Mutant} */
function lines(original, random) {
  if (random.below(4) === 0) return mutateBytes(original, random);
  const texts = original.toString("utf8").trimEnd().split("\n");
  const i = random.below(texts.length);
  const { text, damage } = mutateJson(texts[i], random);
  texts[i] = text;
  return { bytes: Buffer.from(`${texts.join("\n")}\n`), damage };
}

/** @param {Buffer} original @param {Random} random @returns {Mutant} */
function safetensors(original, random) {
  if (random.below(2) === 0) return mutateBytes(original, random);
  const length = Number(original.readBigUInt64LE());
  const { text, damage } = mutateJson(original.toString("utf8", 8, 8 + length).trimEnd(), random);
  const header = Buffer.from(text);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return { bytes: Buffer.concat([prefix, header, original.subarray(8 + length)]), damage };
}

/** @param {Buffer} original @param {Random} random @returns {Mutant} */
const mp4 = (original, random) => (random.below(2) === 0 ? mutateMp4 : mutateBytes)(original, random);

const BY_ENDING = { json, jsonl: lines, safetensors, mp4, parquet: mutateBytes, yaml: mutateBytes };

/**
 * @param {string} path
 * @param {Buffer} original
 * @param {Random} random
 * @returns {Mutant}
 */
export const mutateFile = (path, original, random) =>
  BY_ENDING[path.slice(path.lastIndexOf(".") + 1)](original, random);
