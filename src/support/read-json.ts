import { readFile } from "node:fs/promises";
import { CheckpointError, messageOf } from "./errors.js";
import { expectFile } from "./expect-file.js";
import { parseJson } from "./parse-json.js";

/**
 * The content of a JSON file of a policy.
 *
 * @param advice what a user can do if the file is missing, as a sentence for the message
 * @throws CheckpointError naming the file if it is missing, unreadable or not JSON
 */
export async function readJson(path: string, advice?: string): Promise<unknown> {
  let text: string;
  try {
    expectFile(path);
    text = await readFile(path, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const what = isMissing ? "file not found" : `cannot be read (${messageOf(error)})`;
    throw new CheckpointError(`${path}: ${what}${isMissing && advice ? `. ${advice}` : ""}`);
  }
  try {
    return parseJson(text);
  } catch (error) {
    throw new CheckpointError(`${path}: expected JSON, got something else (${messageOf(error)})`);
  }
}
