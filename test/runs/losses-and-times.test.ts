/** Settings of losses and times: what each of them changes in a run, and where that is written down. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { actionDim, parseSmolVLAConfig } from "../../src/smolvla/config.js";
import { type HostArray, numbersOf } from "../../src/support/host-array.js";
import { recordedJson } from "../parity/fixture.js";
import { observe } from "./coupling-run.js";
import {
  continueFrom,
  differingFiles,
  metricOf,
  policyOf,
  policyWeights,
  provenanceOf,
  recordsOf,
} from "./run-results.js";
import {
  changedNames,
  RUNS,
  TEACHER,
  teacherWith,
  temporaryFolder,
  train,
  trainIn,
  weightsOf,
} from "./training-run.js";

type Kind = "reflow" | "flow matching";

const TWO_STEPS = ["--steps=2", "--log_freq=1"];

/** Weights, provenance and first loss of a run by its flags. */
interface Outcome {
  readonly weights: ReadonlyMap<string, HostArray>;
  readonly provenance: Record<string, unknown>;
  readonly loss: number;
}

const outcomes = new Map<string, Promise<Outcome>>();

function outcomeOf(kind: Kind, flags: readonly string[]): Promise<Outcome> {
  const key = [kind, ...flags].join(" ");
  const outcome = outcomes.get(key) ?? newOutcome(kind, flags);
  outcomes.set(key, outcome);
  return outcome;
}

async function newOutcome(kind: Kind, flags: readonly string[]): Promise<Outcome> {
  const run = await train(...RUNS[kind], ...TWO_STEPS, ...flags);
  const [loss] = await metricOf(run, "loss");
  return { weights: await policyWeights(run), provenance: provenanceOf(run), loss: loss! };
}

/** What every option needs to have an effect, the option, and what `reflow.json` has of it. */
type Option = readonly [kind: Kind, beside: readonly string[], flag: string, written: Record<string, unknown>];

const distance = (name: string): string[] => [`--reflow.loss.distance=${name}`];
const reflowLaw = (law: string): string[] => [`--reflow.time.law=${law}`, "--reflow.time.share_at_atoms=0"];
const firstLaw = (law: string): string[] => [`--flow_matching.time.law=${law}`];

const OPTIONS: readonly Option[] = [
  ["reflow", [], "--reflow.loss.distance=pseudo_huber", { loss: { distance: "pseudo_huber" } }],
  ["reflow", [], "--reflow.loss.distance=adaptive", { loss: { distance: "adaptive" } }],
  [
    "reflow",
    distance("pseudo_huber"),
    "--reflow.loss.huber_c=1.5",
    { loss: { distance: "pseudo_huber", huberC: 1.5 } },
  ],
  ["reflow", distance("adaptive"), "--reflow.loss.adaptive_power=0.5", { loss: { adaptivePower: 0.5 } }],
  ["reflow", distance("adaptive"), "--reflow.loss.adaptive_c=10", { loss: { adaptiveC: 10 } }],
  ["reflow", [], "--reflow.loss.executed_weight=4", { loss: { executedWeight: 4 } }],
  ["reflow", [], "--reflow.loss.smoothness=0.5", { loss: { smoothness: 0.5 } }],
  ["reflow", [], "--reflow.loss.padded_share=0.1", { loss: { paddedShare: 0.1 } }],
  ["reflow", [], "--reflow.loss.padded_share=0", { loss: { paddedShare: 0 } }],
  ["reflow", [], "--reflow.state_noise=0.3", { pairs: { stateNoise: 0.3 } }],
  ["reflow", [], "--reflow.padded_dims=zero", { pairs: { paddedDims: "zero" } }],
  ...(["beta", "uniform", "logit_normal", "shift"] as const).map(
    (law): Option => ["reflow", ["--reflow.time.share_at_atoms=0"], `--reflow.time.law=${law}`, { time: { law } }],
  ),
  ["reflow", reflowLaw("u_shaped"), "--reflow.time.steepness=1", { time: { law: "u_shaped", steepness: 1 } }],
  ["reflow", reflowLaw("logit_normal"), "--reflow.time.mean=1", { time: { mean: 1 } }],
  ["reflow", reflowLaw("logit_normal"), "--reflow.time.std=2", { time: { std: 2 } }],
  ["reflow", reflowLaw("shift"), "--reflow.time.alpha=2", { time: { alpha: 2 } }],
  ["reflow", [], "--reflow.time.share_at_atoms=1", { time: { shareAtAtoms: 1 } }],
  ["reflow", ["--reflow.time.share_at_atoms=1"], "--reflow.time.atoms=[1,0.5]", { time: { atoms: [1, 0.5] } }],
  ...(["uniform", "u_shaped", "logit_normal", "shift"] as const).map(
    (law): Option => ["flow matching", [], `--flow_matching.time.law=${law}`, { time: { law } }],
  ),
  ["flow matching", firstLaw("u_shaped"), "--flow_matching.time.steepness=1", { time: { steepness: 1 } }],
  ["flow matching", firstLaw("logit_normal"), "--flow_matching.time.mean=1", { time: { mean: 1 } }],
  ["flow matching", firstLaw("logit_normal"), "--flow_matching.time.std=2", { time: { std: 2 } }],
  ["flow matching", firstLaw("shift"), "--flow_matching.time.alpha=2", { time: { alpha: 2 } }],
  ["flow matching", [], "--flow_matching.noises_per_observation=2", { noisesPerObservation: 2 }],
  ["flow matching", [], "--flow_matching.time.share_at_atoms=1", { time: { shareAtAtoms: 1 } }],
  [
    "flow matching",
    ["--flow_matching.time.share_at_atoms=1"],
    "--flow_matching.time.atoms=[0.5]",
    { time: { atoms: [0.5] } },
  ],
];

describe("an option of losses and times", () => {
  it.each(OPTIONS)(
    "gives another policy and is written into reflow.json: %s %j %s",
    async (kind, beside, flag, written) => {
      const without = await outcomeOf(kind, beside);
      const with_ = await outcomeOf(kind, [...beside, flag]);
      expect(changedNames(without.weights, with_.weights)).toContain("model.action_out_proj.weight");
      expect(with_.provenance).toMatchObject(written);
      expect(without.provenance).not.toMatchObject(written);
    },
  );

  it("is kept by a run that is continued, which has the bits of the unbroken one", async () => {
    const flags = [
      ...distance("adaptive"),
      "--reflow.loss.executed_weight=2",
      "--reflow.loss.smoothness=0.2",
      "--reflow.loss.padded_share=0.2",
      "--reflow.state_noise=0.1",
      "--reflow.time.atoms=[1,0.5]",
    ];
    const run = await train(...RUNS.reflow, ...flags, "--steps=4", "--save_freq=2");
    expect(differingFiles(await continueFrom(run, 2), run)).toEqual([]);
  });
});

describe("the loss", () => {
  it("with smoothness is larger by what the residual changes along the chunk", async () => {
    const lossWith = async (weight: number) => (await outcomeOf("reflow", [`--reflow.loss.smoothness=${weight}`])).loss;
    const [none, half, whole] = [await lossWith(0), await lossWith(0.5), await lossWith(1)];
    expect(half).toBeGreaterThan(none);
    expect(whole - none).toBeCloseTo(2 * (half - none), 6);
  });

  it.each(["--reflow.loss.padded_share=0", "--reflow.padded_dims=mask"])(
    "without padded dimensions leaves their outputs as they were: %s",
    async (flag) => {
      const config = parseSmolVLAConfig(await recordedJson("teacher/config.json"), "teacher");
      const [before, after] = [await weightsOf(TEACHER), (await outcomeOf("reflow", [flag])).weights];
      const name = "model.action_out_proj.weight";
      const [rows, width] = before.get(name)!.shape as [number, number];
      const [old, now] = [numbersOf(before.get(name)!), numbersOf(after.get(name)!)];
      const isChanged = Array.from({ length: rows }, (_, row) =>
        old.slice(row * width, (row + 1) * width).some((value, i) => value !== now[row * width + i]),
      );
      expect(isChanged).toEqual(isChanged.map((_, row) => row < actionDim(config)));
    },
  );

  it("of a pseudo-Huber or adaptive distance has other values, of which an adaptive one says little", async () => {
    const { loss: squared } = await outcomeOf("reflow", []);
    expect((await outcomeOf("reflow", distance("adaptive"))).loss).toBeCloseTo(1, 1);
    expect((await outcomeOf("reflow", distance("pseudo_huber"))).loss).toBeLessThan(squared);
    const squaredAgain = await outcomeOf("reflow", [...distance("adaptive"), "--reflow.loss.adaptive_power=0"]);
    expect(squaredAgain.loss).toBeCloseTo(squared, 6);
  });
});

describe("training times", () => {
  const askedTimes = async (...flags: readonly string[]): Promise<number[]> => {
    const { student, step } = await observe("--steps=4", "--reflow.noises_per_observation=8", ...flags);
    for (let i = 0; i < 4; i++) await step();
    return student.velocities.flatMap(({ time }) => time);
  };

  it("are the atoms alone, at equal shares, where these have all of it", async () => {
    const times = await askedTimes("--reflow.time.share_at_atoms=1", "--reflow.time.atoms=[1,0.5]");
    expect(new Set(times)).toEqual(new Set([1, 0.5]));
    const numAtOne = times.filter((time) => time === 1).length;
    expect(numAtOne / times.length).toBeGreaterThan(0.3);
    expect(numAtOne / times.length).toBeLessThan(0.7);
  });

  it("are a quarter at 1 in reflow, all at 1 in distillation, none by law alone", async () => {
    const shareAtOne = (times: readonly number[]): number => times.filter((time) => time === 1).length / times.length;
    const usual = shareAtOne(await askedTimes());
    expect(usual).toBeGreaterThan(0.1);
    expect(usual).toBeLessThan(0.4);
    expect(shareAtOne(await askedTimes("--reflow.stage=distill"))).toBe(1);
    expect(shareAtOne(await askedTimes("--reflow.time.share_at_atoms=0"))).toBe(0);
  });

  it("have their losses recorded in ten bins, and that at 1 by itself", async () => {
    const atTimes = async (...flags: readonly string[]) => {
      const run = await train(
        ...RUNS.reflow,
        "--steps=3",
        "--log_freq=3",
        "--reflow.noises_per_observation=8",
        ...flags,
      );
      const metrics = (await recordsOf(run, "step"))[0]!.metrics;
      const found = Object.entries(metrics).filter(([name]) => name.startsWith("train/loss_at_time/"));
      return { loss: metrics["train/loss"]!, bins: Object.fromEntries(found) };
    };
    const atOne = await atTimes("--reflow.time.share_at_atoms=1");
    expect(atOne.bins).toEqual({ "train/loss_at_time/1": expect.closeTo(atOne.loss, 6) });
    const inside = await atTimes("--reflow.time.share_at_atoms=1", "--reflow.time.atoms=[0.25]");
    expect(inside.bins).toEqual({ "train/loss_at_time/0.2-0.3": expect.closeTo(inside.loss, 6) });
    const mixed = await atTimes("--reflow.time.law=uniform");
    const bins = Array.from(
      { length: 10 },
      (_, i) => `train/loss_at_time/${(i / 10).toFixed(1)}-${((i + 1) / 10).toFixed(1)}`,
    );
    expect(Object.keys(mixed.bins)).toContain("train/loss_at_time/1");
    expect(Object.keys(mixed.bins).length).toBeGreaterThan(6); // of 48 samples
    expect(Object.keys(mixed.bins).filter((name) => !bins.includes(name))).toEqual(["train/loss_at_time/1"]);
    const values = Object.values(mixed.bins);
    expect(mixed.loss).toBeGreaterThan(Math.min(...values));
    expect(mixed.loss).toBeLessThan(Math.max(...values));
  });
});

describe("distillation", () => {
  const teacherOfRound2 = (): string =>
    teacherWith((copy) => {
      const provenance = {
        format: 1,
        k: 2,
        objective: "reflow",
        step: 1,
        conventions: { time: "", velocity: "", noise: "" },
        statisticsSha256: "",
        resourceFolders: [],
      };
      writeFileSync(join(copy, "reflow.json"), JSON.stringify(provenance));
    });

  it("keeps k, says that it was one, and is warned of in the first round and as a teacher", async () => {
    const folder = temporaryFolder();
    const flags = [...RUNS.reflow, `--policy.teacher_model_path=${teacherOfRound2()}`, "--steps=1"];
    const log = await trainIn(folder, ...flags, "--reflow.stage=distill");
    expect(provenanceOf(folder)).toMatchObject({
      k: 2,
      distilled: true,
      objective: "distillation",
      teacher: { k: 2 },
      time: { atoms: [1], shareAtAtoms: 1 },
    });
    expect(log).not.toContain("the teacher is a 1-RF");
    expect(provenanceOf(await train(...flags))).toMatchObject({ k: 3, objective: "reflow" });
    expect(await trainIn(temporaryFolder(), ...RUNS.reflow, "--steps=1", "--reflow.stage=distill")).toContain(
      "reflow.stage is distill and the teacher is a 1-RF",
    );
    const next = await trainIn(
      temporaryFolder(),
      ...RUNS.reflow,
      `--policy.teacher_model_path=${policyOf(folder)}`,
      "--steps=1",
    );
    expect(next).toContain("the teacher was distilled to one step");
  });

  it("is trained at other atoms too if told", async () => {
    const flags = ["--reflow.stage=distill", "--reflow.time.atoms=[1,0.5]"];
    const both = await outcomeOf("reflow", flags);
    expect(both.provenance).toMatchObject({ distilled: true, time: { atoms: [1, 0.5], shareAtAtoms: 1 } });
    expect(changedNames(both.weights, (await outcomeOf("reflow", flags.slice(0, 1))).weights).length).toBeGreaterThan(
      10,
    );
  });
});

describe("--freeze_pattern", () => {
  it("of LeRobot 0.6 leaves the last language layer and the final norm as they were, and nothing else", async () => {
    const before = await weightsOf(TEACHER);
    const isUnused = (name: string): boolean => /\.text_model\.(layers\.3\.|norm\.)/.test(name);
    const trained = async (pattern: string) => {
      const folder = temporaryFolder();
      const log = await trainIn(
        folder,
        ...RUNS["flow matching of all weights"],
        "--steps=2",
        `--freeze_pattern=${pattern}`,
      );
      const numTrained = Number(/num_learnable_params=(\d+)/.exec(log)![1]);
      return { numTrained, changed: changedNames(before, await policyWeights(folder)) };
    };
    const [old, later] = [await trained("0.4"), await trained("0.6")];
    expect(old.changed.filter(isUnused).length).toBeGreaterThan(0);
    expect(later.changed).toEqual(old.changed.filter((name) => !isUnused(name)));
    const sizes = [...before]
      .filter(([name]) => isUnused(name))
      .map(([, { shape }]) => shape.reduce((n, size) => n * size, 1));
    expect(old.numTrained - later.numTrained).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it("makes no difference where the expert alone is trained", async () => {
    const [old, later] = [
      await train(...RUNS.reflow, "--steps=2"),
      await train(...RUNS.reflow, "--steps=2", "--freeze_pattern=0.6"),
    ];
    expect(differingFiles(old, later)).toEqual([]);
  });
});
