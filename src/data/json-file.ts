import { readFile, stat } from "node:fs/promises";
import type { z } from "zod";
import { ConfigError, DatasetError, messageOf } from "../support/errors.js";
import { expectFile } from "../support/expect-file.js";
import { endOfText, parseJson } from "../support/parse-json.js";
import { parseWithSchema } from "../support/parse-with-schema.js";

/** A dataset file's bytes, or undefined if there is no such file. */
export async function readFileIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    expectFile(path);
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new DatasetError(`${path}: cannot be read (${messageOf(error)})`);
  }
}

/** A dataset file that must be there, as text. */
export async function readRequiredText(path: string): Promise<string> {
  const bytes = await readFileIfPresent(path);
  if (bytes === undefined) throw new DatasetError(`${path}: file not found`);
  return bytes.toString("utf8");
}

/** Whether a path is a folder. */
export const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Python writes numbers that JSON does not have; they are read as the texts "NaN", "Infinity" and "-Infinity",
 * which `Number` understands. Texts that merely contain such a word are matched first and kept.
 */
function quoteNonFinite(json: string): string {
  const words = /"|-?Infinity|NaN/g;
  const parts: string[] = [];
  let copied = 0;
  for (let found = words.exec(json); found !== null; found = words.exec(json)) {
    if (found[0] === '"') {
      words.lastIndex = endOfText(json, words.lastIndex);
      continue;
    }
    parts.push(json.slice(copied, found.index), `"${found[0]}"`);
    copied = words.lastIndex;
  }
  return parts.join("") + json.slice(copied);
}

/** @throws DatasetError naming the file if the text is not JSON as Python writes it */
export function parsePythonJson(text: string, path: string): unknown {
  try {
    return parseJson(quoteNonFinite(text));
  } catch (error) {
    throw new DatasetError(`${path}: expected JSON, got a damaged file (${messageOf(error)})`);
  }
}

/** The values of a file with one JSON text per line, each with its place. Empty lines are passed over. */
export const parseJsonLines = (text: string, path: string): { readonly value: unknown; readonly where: string }[] =>
  text.split("\n").flatMap((line, i) => {
    const where = `${path}, line ${i + 1}`;
    return line.trim() === "" ? [] : [{ value: parsePythonJson(line, where), where }];
  });

/** Checks a value read from a dataset file. @throws DatasetError with every problem and its place */
export function parseDatasetValue<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  try {
    return parseWithSchema(schema, value, where);
  } catch (error) {
    if (error instanceof ConfigError) throw new DatasetError(error.message);
    throw error;
  }
}
