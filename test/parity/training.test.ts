import { beforeAll, describe, expect, it } from "vitest";
import { collate, LeRobotDataset } from "../../src/data/index.js";
import { l2 } from "../../src/flow/index.js";
import { AdamW, clipGradients, cosineDecayWithWarmup } from "../../src/optim/index.js";
import { toModelInput } from "../../src/policy/model-input.js";
import { runPreprocessor } from "../../src/policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { fromCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { backward, scope, sub, type Tensor, tensorFromHost } from "../../src/torch/index.js";
import { carryNoise, teacherPairs } from "../../src/train/couplings/teacher.js";
import type { TrainingBatch } from "../../src/train/objectives/objective.js";
import { VelocityMatching } from "../../src/train/objectives/velocity-matching.js";
import { FIXTURE, largestDifference, loadTeacher, rawBatch, recorded, recordedJson, relativeL2 } from "./fixture.js";
import { flowMatchingLoss, teacherOf } from "./objectives.js";

let teacher: SmolVLAPolicy;
beforeAll(async () => {
  teacher = await loadTeacher();
});

const expertName = (checkpointName: string): string => fromCheckpointName(checkpointName)!.replace(/^expert\./, "");

function toBatch(raw: Awaited<ReturnType<typeof rawBatch>>): TrainingBatch {
  const { arrays } = runPreprocessor(teacher.processors.preprocessor, raw, teacher.tokenizer);
  return { input: toModelInput(arrays, teacher.config, "cpu"), arrays, tasks: raw.tasks, number: 0, step: 0 };
}

describe("flow matching, against stock LeRobot", () => {
  it("has the same loss within 1e-6 and the same gradients within 1e-4 of every trainable tensor", async () => {
    const forward = await recorded("parity/forward.safetensors");
    const raw = await rawBatch();
    const { loss: expectedLoss } = await recordedJson<{ loss: number }>("parity/fm_loss.json");
    const expected = await recorded("parity/fm_gradients.safetensors");
    const student = teacher.model.withCopiedExpert();
    student.expert.setTrainable(true);
    const parameters = new Map(student.expert.namedParameters());
    scope(() => {
      const draw = { noise: tensorFromHost(forward.get("noise")!), time: tensorFromHost(forward.get("time")!) };
      const { loss } = flowMatchingLoss(student, teacher.config, toBatch(raw), draw);
      expect(Math.abs(loss.item() - expectedLoss) / expectedLoss).toBeLessThanOrEqual(1e-6);
      backward(loss);
      expect(expected.size).toBe(parameters.size);
      for (const [name, gradient] of expected) {
        expect(relativeL2(parameters.get(expertName(name))!.grad!, gradient), name).toBeLessThanOrEqual(1e-4);
      }
    });
    student.expert.dispose();
  });
});

describe("twenty recorded reflow steps, replayed", () => {
  it("have the same teacher actions, losses, gradient norms, learning rates and final weights", async () => {
    const steps = await recorded("reflow/steps.safetensors");
    const log =
      await recordedJson<{ step: number; indices: number[]; loss: number; grad_norm: number; lr: number }[]>(
        "reflow/log.json",
      );
    const after = await recorded("reflow/student_after_20.safetensors");
    await using dataset = await LeRobotDataset.open({
      root: `${FIXTURE}/dataset-v3.0`,
      chunkSize: teacher.config.chunkSize,
    });
    const student = teacher.model.withCopiedExpert();
    student.expert.setTrainable(true);
    const parameters = new Map(student.expert.namedParameters());
    const optimizer = new AdamW(parameters, { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 1e-10 });
    const schedule = cosineDecayWithWarmup(
      { peakLr: 2e-5, decayLr: 2.5e-6, numWarmupSteps: 5, numDecaySteps: 100 },
      100,
    );
    const options = teacherOf(teacher.model, teacher.config);
    const objective = new VelocityMatching({
      name: "reflow",
      model: student,
      device: "cpu",
      coupling: teacherPairs(options),
      times: () => expect.fail("times were recorded"),
      loss: { distance: l2 },
      hasFrozenContext: true,
    });
    for (const { step, indices, loss: expectedLoss, grad_norm: expectedNorm, lr } of log) {
      const items = await Promise.all(indices.map((i) => dataset.item(i)));
      scope(() => {
        const batch = toBatch(collate(items) as Awaited<ReturnType<typeof rawBatch>>);
        const noise = tensorFromHost(steps.get(`${step}.noise`)!);
        const time = tensorFromHost(steps.get(`${step}.time`)!);
        const context = student.encodeContext(batch.input);
        const actions = carryNoise(options, batch, context, noise);
        expect(largestDifference(actions, steps.get(`${step}.teacher_actions`)!)).toBeLessThanOrEqual(5e-5);
        const { loss } = objective.lossOf({ input: batch.input, context, noise, actions, time });
        expect(Math.abs(loss.item() - expectedLoss) / expectedLoss).toBeLessThanOrEqual(1e-4);
        backward(loss);
        const gradients = [...parameters.values()].map((parameter) => parameter.grad);
        const norm = clipGradients(gradients, 10).item();
        expect(Math.abs(norm - expectedNorm) / expectedNorm).toBeLessThanOrEqual(1e-3);
        expect(schedule(step)).toBe(lr);
        optimizer.step(gradients, schedule(step));
        for (const parameter of parameters.values()) parameter.grad = undefined;
      });
    }
    const start = new Map(teacher.model.expert.namedParameters());
    let [moved, missed] = [0, 0];
    const squares = (x: Tensor): number => x.toNumbers().reduce((sum, value) => sum + value * value, 0);
    scope(() => {
      for (const [name, expected] of after) {
        const own = expertName(name);
        const target = tensorFromHost(expected);
        moved += squares(sub(target, start.get(own)!));
        missed += squares(sub(target, parameters.get(own)!));
      }
    });
    expect(Math.sqrt(missed / moved)).toBeLessThanOrEqual(0.02);
    optimizer.dispose();
    student.expert.dispose();
  });
});
