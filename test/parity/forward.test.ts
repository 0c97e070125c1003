import { beforeAll, describe, expect, it } from "vitest";
import { cropActions } from "../../src/policy/model-input.js";
import { runPreprocessor } from "../../src/policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { toCheckpointName } from "../../src/smolvla/checkpoint-names.js";
import { type HostArray, numbersOf } from "../../src/support/host-array.js";
import { cat, noGrad, scope, type Tensor, tensorFromHost, transpose, unsqueeze } from "../../src/torch/index.js";
import { FIXTURE, largestDifference, loadTeacher, rawBatch, recorded, recordedJson, relativeL2 } from "./fixture.js";

let policy: SmolVLAPolicy;
let forward: Map<string, HostArray>;
let raw: Awaited<ReturnType<typeof rawBatch>>;

beforeAll(async () => {
  policy = await loadTeacher();
  forward = await recorded("parity/forward.safetensors");
  raw = await rawBatch();
});

const given = (name: string): Tensor => tensorFromHost(forward.get(name)!);

describe("float32 on the CPU, against stock LeRobot", () => {
  it("processes a batch to the same tokens exactly and the same numbers within 1e-6", async () => {
    const { arrays } = runPreprocessor(policy.processors.preprocessor, raw, policy.tokenizer);
    for (const [name, expected] of await recorded("parity/processed_batch.safetensors")) {
      const actual = arrays[name]!;
      expect(actual?.dtype, name).toBe(expected.dtype);
      const isExact = expected.dtype !== "float32";
      expect(largestDifference(actual, expected), name).toBeLessThanOrEqual(isExact ? 0 : 1e-6);
    }
  });

  it("fits and scales images to the same pixels within 1e-6", () => {
    const { cameras } = policy.encode(raw);
    for (const [i, camera] of cameras.entries()) {
      expect(largestDifference(camera.pixels, forward.get(`image.${i}`)!)).toBeLessThanOrEqual(1e-6);
      expect(numbersOf(camera.mask.toHost())).toEqual(numbersOf(forward.get(`image_mask.${i}`)!));
    }
  });

  it("embeds images and the whole prefix within 1e-5", () =>
    noGrad(() =>
      scope(() => {
        const input = policy.encode(raw);
        for (const [i, { pixels }] of input.cameras.entries()) {
          const embedded = policy.model.vlm.embedImages(pixels);
          expect(largestDifference(embedded, forward.get(`image_embedding.${i}`)!)).toBeLessThanOrEqual(1e-5);
        }
        const { embeddings, mask } = policy.model.vlm.embedContext(input);
        const state = unsqueeze(policy.model.expert.embedState(input.state), 1);
        const prefix = cat([embeddings, state], 1);
        expect(largestDifference(prefix, forward.get("prefix_embeddings")!)).toBeLessThanOrEqual(1e-5);
        const masks = forward.get("prefix_pad_masks")!;
        const [B, P] = masks.shape as [number, number];
        const context = numbersOf(masks).filter((_, i) => i % P < P - 1); // the state is always valid
        expect(mask.shape).toEqual([B, P - 1]);
        expect(numbersOf(mask.toHost())).toEqual(context);
      }),
    ));

  it("computes every layer's keys and values within 1e-5, wherever a token is valid", () =>
    noGrad(() =>
      scope(() => {
        const input = policy.encode(raw);
        const context = policy.model.encodeContext(input);
        const state = policy.model.vlm.encodeState(context, policy.model.expert.embedState(input.state));
        const isValid = numbersOf(forward.get("prefix_pad_masks")!);
        for (const [layer, own] of state.entries()) {
          for (const part of ["key", "value"] as const) {
            const actual = transpose(cat([context.layers[layer]![part], own[part]], 2), 1, 2);
            const expected = forward.get(`kv.${layer}.${part}`)!;
            const width = expected.shape[2]! * expected.shape[3]!;
            const difference = largestDifference(actual, expected, (i) => isValid[Math.floor(i / width)] === 1);
            expect(difference, `layer ${layer} ${part}`).toBeLessThanOrEqual(1e-5);
          }
        }
      }),
    ));

  it("gives the velocity within 1e-5", () =>
    noGrad(() =>
      scope(() => {
        const prefix = policy.model.encodePrefix(policy.encode(raw));
        const velocity = policy.model.velocity(prefix, given("noise"), given("time"));
        expect(largestDifference(velocity, forward.get("velocity")!)).toBeLessThanOrEqual(1e-5);
      }),
    ));

  it.each([1, 2, 5, 10, 20])("samples with %i steps within 5e-5, in normalised and in robot units", (numSteps) =>
    scope(() => {
      const noise = forward.get("noise")!;
      const sample = policy.sampleActions(policy.encode(raw), tensorFromHost(noise), numSteps);
      expect(largestDifference(sample, forward.get(`sample.${numSteps}`)!)).toBeLessThanOrEqual(5e-5);
      expect(
        largestDifference(cropActions(sample, policy.config), forward.get(`chunk.${numSteps}`)!),
      ).toBeLessThanOrEqual(5e-5);
      const { chunk, robotChunk } = policy.predict(raw, { noise, numSteps });
      expect(largestDifference(chunk, forward.get(`chunk.${numSteps}`)!)).toBeLessThanOrEqual(5e-5);
      expect(largestDifference(robotChunk, forward.get(`robot_chunk.${numSteps}`)!)).toBeLessThanOrEqual(5e-5);
    }),
  );

  it("leaves the caller's noise untouched", () =>
    scope(() => {
      const noise = given("noise");
      policy.sampleActions(policy.encode(raw), noise, 3);
      expect(largestDifference(noise, forward.get("noise")!)).toBe(0);
    }));
});

describe("LeRobot's own mixture of types", () => {
  it("gives every parameter the type it has there", async () => {
    const mixed = await loadTeacher("bf16");
    const dtypes = await recordedJson<Record<string, string>>("parity/native_dtypes.json");
    const actual = Array.from(mixed.model.namedParameters(), ([name, parameter]) => [
      toCheckpointName(name),
      `torch.${parameter.dtype}`,
    ]);
    expect(Object.fromEntries(actual)).toEqual(dtypes);
    mixed.dispose();
  });

  it("samples within 2e-2 of it", async () => {
    const mixed = await loadTeacher("bf16");
    const native = await recorded("parity/forward_native.safetensors");
    for (const [name, expected] of native) {
      if (!name.startsWith("sample.")) continue;
      const numSteps = Number(name.split(".")[1]);
      const sample = scope(() => mixed.sampleActions(mixed.encode(raw), given("noise"), numSteps));
      expect(relativeL2(sample, expected), name).toBeLessThanOrEqual(2e-2);
      sample.dispose();
    }
    mixed.dispose();
  });
});

describe("the fixture", () => {
  it("has padded language, so that masks and positions are put to the test", async () => {
    const masks = forward.get("prefix_pad_masks")!;
    expect(numbersOf(masks)).toContain(0);
    expect(FIXTURE).toContain("tiny-smolvla");
  });
});
