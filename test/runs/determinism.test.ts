import { describe, expect, it } from "vitest";
import { join } from "node:path";
import { lastCheckpoint, RUNS, resultOf, temporaryFolder, train, trainIn } from "./training-run.js";

describe("a seed", () => {
  it("gives the same weights and moments, bit by bit, with any number of workers; another seed gives others", async () => {
    const reference = resultOf(await train(...RUNS.reflow, "--steps=4"));
    for (const workers of [0, 1, 3]) {
      const again = resultOf(await train(...RUNS.reflow, "--steps=4", `--num_workers=${workers}`));
      expect(again.equals(reference), `${workers} workers`).toBe(true);
    }
    const other = resultOf(await train(...RUNS.reflow, "--steps=4", "--seed=7"));
    expect(other.equals(reference)).toBe(false);
  });

  it("that is left open is drawn anew for each run", async () => {
    const [a, b] = [await train(...RUNS.reflow, "--steps=1", "--seed=null"), await train(...RUNS.reflow, "--steps=1", "--seed=null")];
    expect(resultOf(a).equals(resultOf(b))).toBe(false);
  });
});

describe.each(Object.entries(RUNS))("%s", (_, flags) => {
  it("gives the same result when it is broken off and resumed, in both forms", async () => {
    const unbroken = await train(...flags, "--steps=4", "--save_freq=2");
    const expected = resultOf(unbroken);

    const byFolder = temporaryFolder();
    await trainIn(byFolder, ...flags, "--steps=4", "--save_freq=2");
    const first = join(unbroken, "checkpoints/000002/pretrained_model/train_config.json");
    const elsewhere = temporaryFolder();
    await trainIn(elsewhere, "--resume=true", `--config_path=${first}`);
    expect(resultOf(elsewhere).equals(expected)).toBe(true);
    expect(lastCheckpoint(byFolder)).toBeTruthy();
  });
});
