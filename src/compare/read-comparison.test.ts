import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../support/errors.js";
import { openComparisonFolder } from "./comparison-folder.js";
import { readComparison } from "./read-comparison.js";
import { smallComparison } from "./testing/small-comparison.js";

const root = mkdtempSync(join(tmpdir(), "reflow-comparison-"));
afterAll(() => rmSync(root, { recursive: true }));

const comparison = smallComparison({ teacher: "lr.", student: "l.r" });
let numFiles = 0;
function fileOf(content: unknown): string {
  numFiles += 1;
  const file = join(root, `${numFiles}.json`);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

describe("readComparison", () => {
  it("gives back what was written, without what has no value", async () => {
    expect(await readComparison(fileOf(comparison))).toEqual(JSON.parse(JSON.stringify(comparison)));
  });

  it("keeps keys that it does not know", async () => {
    const later = { ...comparison, further: { a: 1 } };
    expect(await readComparison(fileOf(later))).toHaveProperty("further.a", 1);
  });

  it.each([
    ["half a file", JSON.stringify(comparison).slice(0, 200), /: expected JSON, got something else/],
    ["another kind of file", { format: 1 }, /at format|format: expected "reflow-comparison\/1", got 1/],
    ["no policies", { ...comparison, policies: [] }, /policies: expected a list of 1 entries, got \[\]/],
    [
      "a number that is none",
      { ...comparison, margins: { ...comparison.margins, success: null } },
      /margins\.success: expected a number/,
    ],
    ["no object", "[]", /expected an object, got \[\]/],
    [
      "a row of a policy that is not listed",
      { ...comparison, policies: comparison.policies.slice(0, 1) },
      /expected rows of teacher only, got one of "student"/,
    ],
  ])("refuses %s, naming the file", async (_, content, message) => {
    const file = fileOf(content);
    const failure = await readComparison(file).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CheckpointError);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).toContain(file);
  });

  it("says that there is no file", async () => {
    await expect(readComparison(join(root, "none.json"))).rejects.toThrow("file not found. reflow compare writes it");
  });
});

describe("the folder of a comparison", () => {
  const open = (name: string, overwrite = false, fingerprint = "a") =>
    openComparisonFolder(join(root, name), { fingerprint, overwrite });

  it("is for one process at a time, and writes whole files", async () => {
    const folder = await open("one");
    await folder.save(comparison);
    await expect(open("one", true)).rejects.toThrow(/already comparing in/);
    folder.release();
    expect(await readComparison(folder.file)).toMatchObject({ status: "complete" });
    await expect(open("one")).rejects.toThrow("holds a finished comparison of other settings");
    (await open("one", true)).release();
  });

  it("is continued if it is unfinished and of the same settings", async () => {
    const folder = await open("unfinished");
    await folder.save({ ...comparison, status: "partial", fingerprint: "a" });
    folder.release();
    await expect(open("unfinished", false, "b")).rejects.toThrow("unfinished comparison of other settings");
    const again = await open("unfinished");
    expect(again.known).toMatchObject({ status: "partial", fingerprint: "a" });
    again.release();
    const anew = await open("unfinished", true);
    expect(anew.known).toBeUndefined();
    anew.release();
  });

  it("that is gone when something is to be kept says so", async () => {
    const folder = await open("gone");
    rmSync(join(root, "gone"), { recursive: true });
    await expect(folder.save(comparison)).rejects.toThrow(/^compare: .*comparison\.json cannot be written \(ENOENT/);
    folder.release();
  });

  it("with a damaged file is refused, and made anew if that is asked for", async () => {
    const folder = await open("damaged");
    folder.release();
    writeFileSync(folder.file, '{"format": "reflow-comp');
    await expect(open("damaged")).rejects.toThrow("expected JSON");
    (await open("damaged", true)).release();
  });
});
