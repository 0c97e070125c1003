/** Commands that are killed at random moments, again and again; `npm run bench -- kills` does it by the hundred. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { failCommand } from "./faults.mjs";
import { killCommand } from "./kill.mjs";
import { killedCommands } from "./killed-commands.mjs";

// Dozens of processes, one after the other.
vi.setConfig({ testTimeout: 600_000 });

const root = mkdtempSync(join(tmpdir(), "reflow-kills-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const only = async (name: string) => (await killedCommands(root, [name]))[0]!;

describe("a command that is killed, at any moment and more than once, leaves nothing that is not whole, and ends as one that was not", () => {
  it.each([
    ["reflow", 6],
    ["flow matching", 3],
    ["pairs", 4],
    ["make-dataset --overwrite", 4],
    ["pipeline", 3],
    ["compare", 3],
    ["eval", 2],
    ["report", 2],
  ])("reflow: %s", async (name, kills) => {
    const { tried, survived, failures } = await killCommand(await only(name), { kills, seed: 1, root });
    expect(failures).toEqual([]);
    expect(tried).toBeGreaterThanOrEqual(kills);
    expect(survived).toBe(tried);
  });
});

describe("a command that meets a full disk or a failing call says so with the place, leaves what was there whole, and goes on", () => {
  it.each([
    ["reflow with ema", 4],
    ["pairs", 3],
    ["make-dataset", 3],
    ["make-dataset --overwrite", 3],
    ["pipeline", 2],
    ["compare", 2],
    ["eval", 2],
    ["report", 2],
  ])("reflow: %s", async (name, faults) => {
    const { injected, named, endured, failures } = await failCommand(await only(name), { faults, seed: 2, root });
    expect(failures).toEqual([]);
    expect(named + endured).toBe(injected);
    expect(injected).toBe(faults);
  });
});
