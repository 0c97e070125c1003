import { createHash } from "node:crypto";

/**
 * A seed that is a pure function of a base seed and labels (a purpose, a step number): independent streams without any
 * state to carry along, so that a resumed run draws what an unbroken one would.
 *
 * @returns a whole number below 2^48
 */
export function deriveSeed(seed: number, ...labels: readonly (string | number)[]): number {
  const digest = createHash("sha256")
    .update(JSON.stringify([seed, ...labels]))
    .digest();
  return digest.readUIntBE(0, 6);
}
