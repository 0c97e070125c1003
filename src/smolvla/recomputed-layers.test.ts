/** The action expert with `recomputesLayers`: nothing may change but time and memory. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { largestDifference, loadTeacher, rawBatch, recorded, relativeL2 } from "../../test/parity/fixture.js";
import { AdamW } from "../optim/index.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import type { HostArray } from "../support/host-array.js";
import {
  backward,
  Generator,
  grad,
  mean,
  noGrad,
  normal_,
  numLiveTensors,
  scope,
  square,
  type Tensor,
  tensorFromHost,
} from "../torch/index.js";
import { adapterRule, addAdapter } from "./lora-adapter.js";
import { DEFAULT_LORA } from "./lora-config.js";
import type { Precision } from "./precision.js";
import type { SmolVLA } from "./smolvla.js";

const policies = new Map<Precision, SmolVLAPolicy>();
let raw: Awaited<ReturnType<typeof rawBatch>>;
let draws: { noise: HostArray; time: HostArray };

beforeAll(async () => {
  for (const precision of ["fp32", "bf16"] as const) policies.set(precision, await loadTeacher(precision));
  raw = await rawBatch();
  const forward = await recorded("parity/forward.safetensors");
  draws = { noise: forward.get("noise")!, time: forward.get("time")! };
});
afterAll(() => {
  for (const policy of policies.values()) policy.dispose();
});

function studentOf(policy: SmolVLAPolicy): SmolVLA {
  const student = policy.model.withCopiedExpert();
  onTestFinished(() => student.expert.dispose());
  student.expert.setTrainable(true);
  return student;
}

const velocity = (policy: SmolVLAPolicy, student: SmolVLA): Tensor => {
  const prefix = student.encodePrefix(policy.encode(raw));
  return student.velocity(prefix, tensorFromHost(draws.noise), tensorFromHost(draws.time));
};

describe.each<[Precision, number, number]>([
  ["fp32", 1e-6, 1e-6],
  ["bf16", 1e-6, 1e-2],
])("in %s", (precision, valueTolerance, gradientTolerance) => {
  it.each([false, true])(
    "velocity and all gradients are those of the plain expert (with an adapter: %s)",
    (isAdapted) => {
      const policy = policies.get(precision)!;
      const student = studentOf(policy);
      if (isAdapted) {
        addAdapter(student, { ...DEFAULT_LORA, rank: 4 }, new Generator(1));
        const isTrained = adapterRule(student);
        for (const [name, parameter] of student.namedParameters()) {
          parameter.requiresGrad = isTrained(name);
          // It begins as zero, and then only b has a gradient.
          if (name.endsWith(".lora.b")) noGrad(() => normal_(parameter, 0, 0.1, new Generator(2)));
        }
      }
      const trained = [...student.namedParameters()].filter(([, parameter]) => parameter.requiresGrad);
      const parameters = trained.map(([, parameter]) => parameter);
      scope(() => {
        const plain = velocity(policy, student);
        const expected = grad(mean(square(plain)), parameters);
        student.expert.recomputesLayers = true;
        const recomputed = velocity(policy, student);
        const gradients = grad(mean(square(recomputed)), parameters);
        expect(largestDifference(recomputed, plain)).toBeLessThanOrEqual(valueTolerance);
        for (const [i, [name]] of trained.entries()) {
          expect(relativeL2(gradients[i]!, expected[i]!), name).toBeLessThanOrEqual(gradientTolerance);
        }
        expect(trained.length).toBe(isAdapted ? 56 : 47);
      });
    },
  );
});

it("is the plain expert, to the last bit, where nothing is recorded", () => {
  const policy = policies.get("fp32")!;
  const student = studentOf(policy);
  noGrad(() =>
    scope(() => {
      const plain = velocity(policy, student).toNumbers();
      student.expert.recomputesLayers = true;
      expect(velocity(policy, student).toNumbers()).toEqual(plain);
    }),
  );
});

it("training steps go where those of the plain expert go, and leave as many tensors alive", () => {
  const policy = policies.get("fp32")!;
  const train = (recomputesLayers: boolean): HostArray[] => {
    const student = studentOf(policy);
    student.expert.recomputesLayers = recomputesLayers;
    const parameters = new Map(student.expert.namedParameters());
    const optimizer = new AdamW(parameters, { betas: [0.9, 0.95], eps: 1e-3, weightDecay: 0 });
    onTestFinished(() => optimizer.dispose());
    const alive = new Set<number>();
    for (let step = 0; step < 4; step++) {
      scope(() => {
        backward(mean(square(velocity(policy, student))));
        const gradients = [...parameters.values()].map((parameter) => parameter.grad);
        for (const parameter of parameters.values()) parameter.grad = undefined;
        optimizer.step(gradients, 1e-3);
      });
      alive.add(numLiveTensors());
    }
    expect(alive.size).toBe(1);
    return [...parameters.values()].map((parameter) => parameter.toHost());
  };
  const [plain, recomputed] = [train(false), train(true)];
  for (const [i, value] of plain.entries()) expect(largestDifference(recomputed[i]!, value)).toBeLessThan(1e-6);
});
