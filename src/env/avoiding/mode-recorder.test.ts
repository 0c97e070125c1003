import { describe, expect, it } from "vitest";
import { AVOIDING_MODES, gapsOfMode, ModeRecorder } from "./mode-recorder.js";

/** the word after visits to these places */
const wordOf = (...places: readonly (readonly [number, number])[]): string => {
  const recorder = new ModeRecorder();
  for (const [x, y] of places) recorder.visit(x, y);
  return recorder.word;
};

describe("the mode of an episode", () => {
  it("is one of 24 words: one bit of two, one of three and one of four", () => {
    expect(new Set(AVOIDING_MODES).size).toBe(24);
    for (const mode of AVOIDING_MODES) expect(mode).toMatch(/^(10|01)(100|010|001)(1000|0100|0010|0001)$/);
  });

  const levels = [
    [0.45, 0.55],
    [0.4, 0.5, 0.6],
    [0.3, 0.4, 0.6, 0.7],
  ] as const;
  for (const [a, x1] of levels[0].entries()) {
    for (const [b, x2] of levels[1].entries()) {
      for (const [c, x3] of levels[2].entries()) {
        const bits = [a, 2 + b, 5 + c];
        const expected = Array.from({ length: 9 }, (_, i) => (bits.includes(i) ? "1" : "0")).join("");
        it(`is ${expected} through gaps ${a}, ${b} and ${c}`, () => {
          expect(wordOf([x1, -0.1], [x2, 0.08], [x3, 0.26])).toBe(expected);
          expect(gapsOfMode(expected)).toEqual([a, b, c]);
          expect(AVOIDING_MODES).toContain(expected);
        });
      }
    }
  }

  it("is decided within 3 cm of levels 1 and 2, and from level 3 on", () => {
    expect(wordOf([0.4, -0.131], [0.4, -0.069], [0.4, 0.049], [0.4, 0.111], [0.4, 0.259])).toBe("000000000");
    for (const y of [-0.129, -0.071]) expect(wordOf([0.4, y])).toBe("100000000");
    for (const y of [0.051, 0.109]) expect(wordOf([0.4, y])).toBe("001000000");
    for (const y of [0.26, 0.3, 5]) expect(wordOf([0.4, y])).toBe("000000100");
  });

  it("changes at the obstacles' centres; on a centre of level 1 or 2 it stays open", () => {
    expect([0.4999, 0.5, 0.5001].map((x) => wordOf([x, -0.1]))).toEqual(["100000000", "000000000", "010000000"]);
    const level2 = [0.4249, 0.425, 0.4251, 0.5749, 0.575, 0.5751].map((x) => wordOf([x, 0.08]).slice(2, 5));
    expect(level2).toEqual(["100", "000", "010", "010", "000", "001"]);
    const level3 = [0.3499, 0.3501, 0.4999, 0.5001, 0.6499, 0.6501].map((x) => wordOf([x, 0.27]).slice(5));
    expect(level3).toEqual(["1000", "0100", "0100", "0010", "0010", "0001"]);
  });

  it("keeps what was decided first", () => {
    expect(wordOf([0.45, -0.12], [0.6, -0.08])).toBe("100000000");
    expect(wordOf([0.3, 0.27], [0.7, 0.3])).toBe("000001000");
  });

  it("has no gaps while it is not whole", () => {
    expect(gapsOfMode("100000000")).toBeUndefined();
    expect(gapsOfMode("")).toBeUndefined();
  });
});
