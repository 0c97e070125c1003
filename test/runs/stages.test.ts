/** The whole way from a base model, from nothing or from a trained policy to a distilled 3-RF, through the command. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CONVENTIONS, type Provenance, readProvenance } from "../../src/policy/provenance.js";
import { type Chain, policyOf, STAGES, STARTS, type Stage, trainChain } from "./stage-chain.js";
import { changedNames, RUNS, resultOf, TEACHER, temporaryFolder, trainIn, weightsOf } from "./training-run.js";

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

const provenanceOf = async (chain: Chain): Promise<Record<Stage, Provenance>> =>
  Object.fromEntries(
    await Promise.all(STAGES.map(async (stage) => [stage, await readProvenance(policyOf(chain[stage]))])),
  ) as Record<Stage, Provenance>;

/** What all stages after the first say alike. */
const REFLOW = {
  format: 1,
  step: 2,
  conventions: CONVENTIONS,
  pairs: {
    solver: "euler",
    grid: "uniform",
    numSteps: 2,
    paddedDims: "teacher",
    source: "fresh",
    noisesPerObservation: 1,
  },
  studentInit: "teacher",
};

it("a student of one time alone takes one step wherever nobody says otherwise, and more are warned of", async () => {
  const flags = [...RUNS.reflow, "--reflow.stage=distill", "--steps=1"];
  const warning = "policy.num_steps of the student is 10, and it is trained at time 1 alone: ";
  const stepsAfter = async (...more: string[]): Promise<{ readonly numSteps: number; readonly log: string }> => {
    const run = temporaryFolder();
    const log = await trainIn(run, ...flags, ...more);
    const config = JSON.parse(readFileSync(join(policyOf(run), "config.json"), "utf8")) as { num_steps: number };
    return { numSteps: config.num_steps, log };
  };
  const one = await stepsAfter();
  expect([one.numSteps, one.log]).toEqual([1, expect.not.stringContaining("policy.num_steps of the student")]);
  expect((await stepsAfter("--reflow.time.atoms=[0.5,1]")).numSteps).toBe(2);
  const mixed = await stepsAfter("--reflow.time.share_at_atoms=0.5");
  expect([mixed.numSteps, mixed.log]).toEqual([10, expect.not.stringContaining(warning)]);
  const asked = await stepsAfter("--policy.num_steps=10");
  expect([asked.numSteps, asked.log]).toEqual([10, expect.stringContaining(warning)]);
});

describe.each(Object.keys(STARTS) as (keyof typeof STARTS)[])("from %s", (start) => {
  it("every stage names its round, its teacher's weights and the same statistics, and trains the expert alone", async () => {
    const chain = await trainChain(temporaryFolder(), start);
    const stages = await provenanceOf(chain);
    expect(stages["1-RF"]).toMatchObject({ format: 1, k: 1, objective: "flow_matching", step: 2 });
    expect(stages["1-RF"]).not.toHaveProperty("teacher");
    expect(stages["2-RF"]).toMatchObject({ ...REFLOW, k: 2, objective: "reflow" });
    expect(stages["3-RF"]).toMatchObject({ ...REFLOW, k: 3, objective: "reflow" });
    expect(stages.distilled).toMatchObject({ ...REFLOW, k: 3, objective: "distillation", distilled: true });
    for (const stage of STAGES.slice(0, 3)) expect(stages[stage]).not.toHaveProperty("distilled");
    for (const [i, stage] of STAGES.slice(1).entries()) {
      const teacher = policyOf(chain[STAGES[i]!]);
      expect(stages[stage].teacher).toEqual({
        path: teacher,
        weightsSha256: sha256(join(teacher, "model.safetensors")),
        k: i + 1,
      });
    }
    expect(new Set(STAGES.map((stage) => stages[stage].statisticsSha256)).size).toBe(1);
    for (const stage of STAGES.slice(1)) {
      for (const file of ["policy_preprocessor.json", "policy_postprocessor.json"]) {
        expect(readFileSync(join(policyOf(chain[stage]), file))).toEqual(
          readFileSync(join(policyOf(chain["1-RF"]), file)),
        );
      }
    }

    const folders = STAGES.map((stage) => policyOf(chain[stage]));
    if (start === "a trained policy") folders.unshift(TEACHER);
    const weights = await Promise.all(folders.map(weightsOf));
    for (const [i, before] of weights.slice(0, -1).entries()) {
      expect(weights[i + 1]!.size).toBe(before.size);
      const changed = changedNames(before, weights[i + 1]!);
      expect(changed).toEqual([...before.keys()].filter((name) => !name.includes(".vlm.")));
    }
  });

  it("the weights, the moments and the hashes of every stage are the same in a second chain, with a worker", async () => {
    const [once, again] = [
      await trainChain(temporaryFolder(), start),
      await trainChain(temporaryFolder(), start, "--num_workers=1"),
    ];
    for (const stage of STAGES) expect(resultOf(again[stage]).equals(resultOf(once[stage])), stage).toBe(true);
    const [a, b] = [await provenanceOf(once), await provenanceOf(again)];
    for (const stage of STAGES) {
      const { teacher: first, resourceFolders, ...rest } = a[stage];
      expect(b[stage]).toMatchObject({
        ...rest,
        ...(first ? { teacher: { ...first, path: expect.any(String) } } : {}),
      });
      expect(b[stage].resourceFolders).toHaveLength(resourceFolders.length);
    }
  });
});
