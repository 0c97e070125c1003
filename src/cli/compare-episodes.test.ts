import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RUN_CONFIG_FILE } from "../train/checkpoint.js";
import { chooseEpisodes } from "./compare-episodes.js";

const root = mkdtempSync(join(tmpdir(), "reflow-episodes-"));
afterAll(() => rmSync(root, { recursive: true }));
const dataset = { root, repoId: undefined };
const all = Array.from({ length: 40 }, (_, i) => i);

/** A policy in a checkpoint of a run with some settings; in none if there are no settings. */
function policyOf(name: string, settings?: unknown) {
  const checkpoint = join(root, name, "checkpoints", "000001");
  mkdirSync(join(checkpoint, "training_state"), { recursive: true });
  if (settings !== undefined) {
    writeFileSync(join(checkpoint, "training_state", RUN_CONFIG_FILE), JSON.stringify(settings));
  }
  return { name, folder: join(checkpoint, "pretrained_model"), round: 1, isDistilled: false };
}

const runOf = (name: string, share: number, data: Record<string, unknown> = { root }) =>
  policyOf(name, {
    ...{ dataset: data, policy: { path: "p" }, held_out: { share }, eval_freq: 1, output_dir: join(root, "out") },
  });

describe("the episodes of a comparison", () => {
  it("are those that were asked for", async () => {
    const { episodes, remarks } = await chooseEpisodes({ policies: [policyOf("a")], dataset, all, asked: [3, 7] });
    expect(episodes).toEqual([3, 7]);
    expect(remarks[0]).toMatch(/^nothing proves that a did not learn from the episodes: /);
  });

  it("are those that every run on the dataset has held out, without a doubt then", async () => {
    const policies = [runOf("half", 0.5), runOf("half of some", 0.5, { root, episodes: all.slice(0, 20) })];
    const { episodes, remarks } = await chooseEpisodes({ policies, dataset, all, asked: undefined });
    expect(episodes).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    expect(remarks.filter((remark) => /learn/.test(remark))).toEqual([]);
  });

  it("that a run has learnt from are named", async () => {
    const { episodes, remarks } = await chooseEpisodes({
      ...{ dataset, all, asked: undefined },
      policies: [runOf("everything", 0), runOf("careful", 0.5)],
    });
    expect(episodes).toHaveLength(20);
    expect(remarks).toEqual(["everything learnt from some of the episodes: agreement on new ones may be worse"]);
  });

  it.each([
    ["there is no run", () => policyOf("folder")],
    ["the run was on another dataset", () => runOf("elsewhere", 0.5, { root: "/nowhere" })],
    ["the run's settings are of another version", () => policyOf("strange", { unheard: 1 })],
  ])("are the last tenth if %s, with a remark that nothing is proven", async (_, make) => {
    const { episodes, remarks } = await chooseEpisodes({ policies: [make()], dataset, all, asked: undefined });
    expect(episodes).toEqual([36, 37, 38, 39]);
    expect(remarks).toEqual([
      expect.stringMatching(/^nothing proves that \w+ did not learn from the last episodes: /),
      "the observations are of 4 episodes only, in which frames are alike: intervals are too narrow",
    ]);
  });

  it("have to be some of the dataset's", async () => {
    const request = { policies: [policyOf("a")], dataset, all };
    await expect(chooseEpisodes({ ...request, asked: [39, 40] })).rejects.toThrow("which has 40 (0 to 39), got 40");
    await expect(chooseEpisodes({ ...request, asked: [] })).rejects.toThrow("got none");
  });
});
