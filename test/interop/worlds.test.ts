/** Policies of every configuration that stock LeRobot can run: what it computes, loads and saves, compared with ours. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toModelInput } from "../../src/policy/model-input.js";
import { runPreprocessor } from "../../src/policy/processors/run-pipeline.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { toCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { isTrainable } from "../../src/smolvla/trainable.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { backward, noGrad, scope, tensorFromHost } from "../../src/torch/index.js";
import { largestDifference, relativeL2 } from "../parity/fixture.js";
import { flowMatchingLoss } from "../parity/objectives.js";
import { train, trainedWeights, weightsOf } from "../runs/training-run.js";
import { runPythonScript } from "./python-env.mjs";
import worlds from "./worlds.json" with { type: "json" };

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reflow-worlds-"));
  const fixtures = resolve("test/fixtures/tiny-smolvla/base-vlm");
  await runPythonScript("random_policies.py", [
    "--output",
    folder,
    "--base-vlm",
    fixtures,
    "--worlds",
    resolve("test/interop/worlds.json"),
  ]);
}, 600_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Robots and cameras that the dataset beside these policies does not have. */
const DOES_NOT_FIT_THE_DATASET = /^aloha|^images-of-many-sizes$/;

/** Largest magnitude, at least 1: differences are compared with the size of what they are differences of. */
const sizeOf = (array: HostArray): number =>
  (array.data as Float32Array).reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);

describe.each(Object.keys(worlds))("%s", (name) => {
  it("gives stock LeRobot's chunks, velocities, loss and gradients", async () => {
    const world = join(folder, name);
    expect(existsSync(join(world, "policy")), await readFile(join(folder, "failures.json"), "utf8")).toBe(true);
    const isMixed = "native" in (worlds as Record<string, object>)[name]!;
    const precision = isMixed ? "bf16" : "fp32";
    const policy = await SmolVLAPolicy.load(join(world, "policy"), { device: "cpu", precision, besides: [world] });
    const given = await readSafetensors(join(world, "observation.safetensors"));
    const expected = await readSafetensors(join(world, "reference.safetensors"));
    const { tasks } = JSON.parse(await readFile(join(world, "world.json"), "utf8")) as { tasks: string[] };
    const observation = { arrays: Object.fromEntries(given), tasks };
    const expectClose = (actual: HostArray, key: string): void => {
      const reference = expected.get(key)!;
      if (isMixed) expect(relativeL2(actual, reference), key).toBeLessThanOrEqual(2e-2);
      else expect(largestDifference(actual, reference) / sizeOf(reference), key).toBeLessThanOrEqual(5e-5);
    };

    for (const key of expected.keys()) {
      const numSteps = Number(key.match(/^chunk\.(\d+)$/)?.[1]);
      if (Number.isNaN(numSteps)) continue;
      const { chunk, robotChunk } = policy.predict(observation, { noise: given.get("noise")!, numSteps });
      expectClose(chunk, key);
      expectClose(robotChunk, `robot_${key}`);
    }

    for (const [parameterName, parameter] of policy.model.namedParameters()) {
      parameter.requiresGrad = isTrainable(parameterName, policy.config);
    }
    const { arrays } = runPreprocessor(policy.processors.preprocessor, observation, policy.tokenizer);
    scope(() => {
      const input = toModelInput(arrays, policy.config, "cpu");
      const noise = tensorFromHost(given.get("noise")!);
      const time = tensorFromHost(given.get("time")!);
      const velocity = noGrad(() => policy.model.velocity(policy.model.encodePrefix(input), noise, time));
      expectClose(velocity.toHost(), "velocity");
      if (!expected.has("training_loss")) return;
      const { loss } = flowMatchingLoss(policy.model, policy.config, { input, arrays }, { noise, time });
      const stockLoss = (expected.get("training_loss")!.data as Float32Array)[0]!;
      expect(Math.abs(loss.item() - stockLoss) / stockLoss).toBeLessThanOrEqual(isMixed ? 1e-3 : 1e-5);
      backward(loss);
      let numCompared = 0;
      for (const [parameterName, parameter] of policy.model.namedParameters()) {
        const gradient = expected.get(`gradient.${toCheckpointName(parameterName)}`);
        const own = parameter.grad;
        if (gradient === undefined || own === undefined) continue;
        numCompared += 1;
        expect(relativeL2(own, gradient), parameterName).toBeLessThanOrEqual(isMixed ? 5e-2 : 1e-3);
      }
      expect(numCompared).toBe([...expected.keys()].filter((key) => key.startsWith("gradient.")).length);
    });
    policy.dispose();
  });
});

describe("a student of the policy", () => {
  const names = Object.keys(worlds).filter((name) => !DOES_NOT_FIT_THE_DATASET.test(name));
  it.each(names)("%s passes the gate, trains, and keeps its teacher's vision-language model", async (name) => {
    const teacher = join(folder, name, "policy");
    const run = await train(
      "--policy.device=cpu",
      "--policy.use_reflow=true",
      `--policy.teacher_model_path=${teacher}`,
      "--policy.reflow_num_inference_steps=2",
      "--policy.optimizer_lr=1e-3",
      "--policy.scheduler_warmup_steps=0",
      "--batch_size=2",
      "--num_workers=0",
      "--steps=1",
    );
    const [before, after] = [await weightsOf(teacher), await trainedWeights(run)];
    // A teacher in bfloat16 is computed with, and saved, in float32: the numbers are the same.
    const changed = [...after.keys()].filter(
      (parameter) => largestDifference(after.get(parameter)!, before.get(parameter)!) > 0,
    );
    expect(changed).toContain("model.action_out_proj.weight");
    expect(changed.filter((parameter) => parameter.includes(".vlm."))).toEqual([]);
  });
});
