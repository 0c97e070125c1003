import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ConfigError } from "../support/errors.js";
import { type ModelCardInput, modelCard } from "./model-card.js";
import { CONVENTIONS, type Provenance } from "./provenance.js";

const CONFIG = {
  type: "smolvla",
  license: null,
  tags: null,
  num_steps: 1,
  input_features: { "observation.state": { type: "STATE", shape: [6] } },
  output_features: { action: { type: "ACTION", shape: [6] } },
};
const PROVENANCE: Provenance = {
  format: 1,
  k: 2,
  objective: "reflow",
  step: 20_000,
  conventions: CONVENTIONS,
  teacher: { path: "outputs/teacher", weightsSha256: "abc123", k: 1 },
  pairs: { solver: "euler", numSteps: 10, paddedDims: "teacher" },
  time: { law: "u_shaped", atoms: [1, 0.5] },
  statisticsSha256: "def456",
  resourceFolders: ["/somewhere"],
};

const card = (given: Partial<ModelCardInput> = {}): string => modelCard({ config: CONFIG, ...given });
const headOf = (text: string): unknown => parse(/^---\n([\s\S]*?)\n---\n/.exec(text)![1]!);
const titlesOf = (text: string): string[] => Array.from(text.matchAll(/^## (.*)$/gm), ([, title]) => title!);

describe("modelCard", () => {
  it("has LeRobot's head", () => {
    expect(headOf(card({ dataset: { repoId: "me/cubes" } }))).toEqual({
      license: "apache-2.0",
      library_name: "lerobot",
      pipeline_tag: "robotics",
      tags: ["lerobot", "robotics", "smolvla"],
      model_name: "smolvla",
      datasets: "me/cubes",
      base_model: "lerobot/smolvla_base",
    });
  });

  it("takes license and tags from the policy, and the teacher as base model if it is on the Hub", () => {
    const config = { ...CONFIG, license: "mit", tags: ["so100", "lerobot", "yes: no"] };
    const head = headOf(card({ config, provenance: PROVENANCE, baseModel: "me/teacher" }));
    expect(head).toMatchObject({
      license: "mit",
      tags: ["lerobot", "rectified-flow", "robotics", "smolvla", "so100", "yes: no"],
      base_model: "me/teacher",
    });
    expect(headOf(card({ baseModel: "/home/me/teacher" }))).toMatchObject({ base_model: "lerobot/smolvla_base" });
  });

  it("names no dataset in its head that is not on the Hub", () => {
    expect(headOf(card({ dataset: { repoId: "../data/cubes" } }))).not.toHaveProperty("datasets");
  });

  it("says whose flow it straightens, and how", () => {
    const text = card({
      provenance: PROVENANCE,
      dataset: { repoId: "me/cubes", numEpisodes: 50, numFrames: 12_345_678 },
      recipe: { batch_size: 32, "policy.optimizer_lr": 2e-5, "policy.scheduler_decay_lr": 2.5e-7, precision: "bf16" },
    });
    expect(text).toContain("straightened once");
    for (const row of [
      "| rectified flow (k) | 2 |",
      "| training steps | 20,000 |",
      "| teacher | outputs/teacher |",
      "| SHA-256 of the teacher's weights | abc123 |",
      "| dataset | me/cubes |",
      "| frames | 12,345,678 |",
      "| pairs.numSteps | 10 |",
      "| time.law | u\\_shaped |",
      "| time.atoms | 1, 0.5 |",
      "| batch\\_size | 32 |",
      "| policy.optimizer\\_lr | 0.00002 |",
      "| policy.scheduler\\_decay\\_lr | 2.5e-7 |",
      "| velocity | noise - actions |",
    ]) {
      expect(text).toContain(`\n${row}\n`);
    }
    expect(text).not.toContain("/somewhere");
  });

  it("gives agreement by number of steps, with empty cells for what could not be measured", () => {
    const text = card({
      agreement: {
        reference: "the teacher",
        numReferenceSteps: 100,
        numObservations: 32,
        numNoises: 16,
        rows: [
          { name: "this policy", numSteps: 1, relativeError: 0.123456, noiseExplained: 0.9 },
          { name: "teacher", numSteps: 1, relativeError: 0.5 },
        ],
      },
    });
    expect(text).toContain(
      "| policy | solver steps | relative error | noise explained |\n|---|---|---|---|\n" +
        "| this policy | 1 | 0.123 | 0.9 |\n| teacher | 1 | 0.5 |  |\n",
    );
    expect(text).toContain("the teacher, solved in 100 steps");
    expect(text).toContain("on 32 observations with 16 noises each");
  });

  it("leaves out what is not known", () => {
    const text = modelCard({ config: { type: "smolvla" } });
    expect(titlesOf(text)).toEqual(["How to use it", "Limits"]);
    expect(text).not.toMatch(/undefined|null|NaN|straightened/);
    expect(titlesOf(card({ provenance: PROVENANCE, agreement: { reference: "x", rows: [] } }))).toEqual([
      "Where it comes from",
      "How it was trained",
      "Conventions",
      "How to use it",
      "Limits",
    ]);
  });

  it("shows how to use the policy under its name", () => {
    const text = card({ repoId: "me/student" });
    expect(text).toContain('SmolVLAPolicy.from_pretrained("me/student")');
    expect(text).toContain("reflow predict --policy.path=me/student --policy.num_steps=1 ");
    expect(text).toContain("`observation.state` [6], `action` [6]");
  });

  it("warns where only one step is consistent", () => {
    const mask = { ...PROVENANCE, pairs: { ...PROVENANCE.pairs!, paddedDims: "mask" } };
    expect(card({ provenance: mask })).toContain("only one-step sampling is certain");
    expect(card({ provenance: PROVENANCE })).not.toContain("only one-step sampling is certain");
  });

  it("keeps odd names from breaking its tables", () => {
    const text = card({ recipe: { "a|b": "line 1\nline | 2" } });
    expect(text).toContain("| a\\|b | line 1 line \\| 2 |");
  });

  it("refuses the configuration of another policy", () => {
    expect(() => card({ config: { type: "act" } })).toThrow(ConfigError);
    expect(() => card({ config: { type: "act" } })).toThrow(
      'model card: config at type: expected "smolvla", got "act"',
    );
  });
});
