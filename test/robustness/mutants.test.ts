/** Files and command lines with damage at random; `npm run bench -- mutants` reads them by the thousand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { COMMAND_LINES, makeWorld, readMutants } from "./mutants.mjs";

vi.setConfig({ testTimeout: 600_000 });

const root = mkdtempSync(join(tmpdir(), "reflow-mutants-"));
const world = join(root, "world");
beforeAll(() => makeWorld(world));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a damaged file gives values or one error with its place: no crash, no hang, no gigabytes", () => {
  it.each([
    ["weights", 30],
    ["policy configuration", 40],
    ["processors", 40],
    ["tokenizer", 40],
    ["observations", 30],
    ["parquet", 40],
    ["mp4", 40],
    ["dataset's JSON", 40],
    ["dataset v2.1", 30],
    ["training state", 20],
    ["pairs", 30],
    ["results and records", 40],
    [COMMAND_LINES, 60],
  ])("%s", async (target, count) => {
    const { tried, read, refused, failures } = await readMutants(target, { count, seed: 1, world, root });
    expect(failures).toEqual([]);
    expect(read + refused).toBe(tried);
    expect(tried).toBe(count);
  });
});
