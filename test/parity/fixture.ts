/** The recorded behaviour of stock LeRobot on a small policy, and helpers to compare with it. */
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import type { Precision } from "../../src/smolvla/precision.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { scope, Tensor, tensorFromHost, toDtype } from "../../src/torch/index.js";

export const FIXTURE = "test/fixtures/tiny-smolvla";

export const loadTeacher = (precision: Precision = "fp32"): Promise<SmolVLAPolicy> =>
  SmolVLAPolicy.load(`${FIXTURE}/teacher`, { device: "cpu", precision });

export const recorded = (name: string): Promise<Map<string, HostArray>> => readSafetensors(`${FIXTURE}/${name}`);

export const recordedJson = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(`${FIXTURE}/${name}`, "utf8")) as T;

/** The four raw dataset items that all recordings of one forward pass start from. */
export async function rawBatch(): Promise<{ arrays: Record<string, HostArray>; tasks: string[] }> {
  const { task } = await recordedJson<{ task: string[] }>("parity/raw_batch.json");
  return { arrays: Object.fromEntries(await recorded("parity/raw_batch.safetensors")), tasks: task };
}

type Numbers = Tensor | HostArray;
const valuesOf = (x: Numbers): number[] =>
  scope(() => toDtype(x instanceof Tensor ? x : tensorFromHost(x), "float32").toNumbers());

/** Largest absolute difference, over the entries for which `counts` is true. */
export function largestDifference(
  actual: Numbers,
  expected: Numbers,
  counts: (i: number) => boolean = () => true,
): number {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [valuesOf(actual), valuesOf(expected)];
  let largest = 0;
  for (const [i, value] of a.entries()) {
    if (!counts(i)) continue;
    const difference = Math.abs(value - b[i]!);
    if (!(difference <= largest)) largest = difference; // a NaN stays
  }
  return largest;
}

/** Norm of the difference over the norm of the expected. */
export function relativeL2(actual: Numbers, expected: Numbers): number {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [valuesOf(actual), valuesOf(expected)];
  const norm = (values: number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i]!)) / norm(b);
}
