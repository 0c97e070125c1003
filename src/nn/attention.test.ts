import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { empty, Generator, normal_, type Tensor, tensor, toDtype } from "../torch/index.js";
import { attend, mergeHeads, splitHeads } from "./index.js";

const generator = new Generator(6);
const draw = (...shape: number[]): Tensor => normal_(empty(shape, "float32"), 0, 1, generator);

/** Attention in plain numbers. */
function naive(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask?: (b: number, l: number, n: number) => boolean,
): number[] {
  const [B, H, L, E] = query.shape as [number, number, number, number];
  const [K, N] = [key.size(1), key.size(2)];
  const [q, k, v] = [query, key, value].map((x) => toDtype(x, "float32").toNumbers()) as [number[], number[], number[]];
  const at = (data: number[], heads: number, length: number, b: number, h: number, i: number, e: number): number =>
    data[((b * heads + h) * length + i) * E + e]!;
  const out = new Array<number>(B * L * H * E);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < H; h++)
      for (let l = 0; l < L; l++) {
        const group = Math.floor(h / (H / K));
        const weights = Array.from({ length: N }, (_, n) => {
          if (mask?.(b, l, n) === false) return 0;
          let score = 0;
          for (let e = 0; e < E; e++) score += at(q, H, L, b, h, l, e) * at(k, K, N, b, group, n, e);
          return Math.exp(score / Math.sqrt(E));
        });
        const total = weights.reduce((sum, w) => sum + w, 0);
        for (let e = 0; e < E; e++) {
          out[((b * L + l) * H + h) * E + e] =
            weights.reduce((sum, w, n) => sum + w * at(v, K, N, b, group, n, e), 0) / total;
        }
      }
  return out;
}

const largestDifference = (x: Tensor, expected: number[]): number =>
  Math.max(
    ...toDtype(x, "float32")
      .toNumbers()
      .map((value, i) => Math.abs(value - expected[i]!)),
  );

describe("attend", () => {
  it("is softmax(query · keyᵀ / sqrt(E)) · value for any sizes, groups and masks", () => {
    const small = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(
        small,
        small,
        fc.constantFrom(1, 2, 3),
        small,
        small,
        fc.constantFrom(2, 8),
        fc.nat(),
        (B, K, group, L, N, E, salt) => {
          const [query, key, value] = [draw(B, K * group, L, E), draw(B, K, N, E), draw(B, K, N, E)];
          expect(largestDifference(attend(query, key, value), naive(query, key, value))).toBeLessThan(1e-5);
          // The first key is always allowed, as every query needs one.
          const allowed = (b: number, l: number, n: number): boolean =>
            n === 0 || (salt + 7 * b + 3 * l + 5 * n) % 3 !== 0;
          const bits: number[] = [];
          for (let b = 0; b < B; b++)
            for (let l = 0; l < L; l++) for (let n = 0; n < N; n++) bits.push(allowed(b, l, n) ? 1 : 0);
          const masked = attend(query, key, value, tensor(bits, [B, 1, L, N], "bool"));
          expect(masked.shape).toEqual([B, L, K * group * E]);
          expect(largestDifference(masked, naive(query, key, value, allowed))).toBeLessThan(1e-5);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives a forbidden key no weight at all, however large its value", () => {
    const [query, key] = [draw(1, 1, 1, 2), draw(1, 1, 2, 2)];
    const value = tensor([1, 2, 1e30, -1e30], [1, 1, 2, 2]);
    expect(attend(query, key, value, tensor([1, 0], [1, 1, 1, 2], "bool")).toNumbers()).toEqual([1, 2]);
  });

  it("compares in float32 where the types differ, and in their own type where they do not", () => {
    const [query, key, value] = [draw(1, 2, 3, 4), draw(1, 1, 5, 4), draw(1, 1, 5, 4)];
    const narrow = toDtype(query, "bfloat16");
    const mixed = attend(narrow, key, value);
    expect(mixed.dtype).toBe("float32");
    expect(largestDifference(mixed, naive(narrow, key, value))).toBeLessThan(1e-5);
    const all = attend(narrow, toDtype(key, "bfloat16"), toDtype(value, "bfloat16"));
    expect(all.dtype).toBe("bfloat16");
    expect(largestDifference(all, naive(query, key, value))).toBeLessThan(0.05);
  });
});

describe("splitHeads and mergeHeads", () => {
  it("undo each other", () => {
    const x = draw(2, 3, 8);
    expect(splitHeads(x, 4).shape).toEqual([2, 2, 3, 4]);
    expect(mergeHeads(splitHeads(x, 4)).toNumbers()).toEqual(x.toNumbers());
  });

  it("give each head neighbouring entries", () => {
    expect(splitHeads(tensor([0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 4]), 2).toNumbers()).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
  });
});
