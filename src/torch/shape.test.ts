import { describe, expect, it } from "vitest";
import { ShapeError } from "../support/errors.js";
import { expectShape, ones } from "./index.js";

describe("expectShape", () => {
  it("binds letters to sizes", () => {
    expect(expectShape(ones([2, 3, 32]), "B A 32", "velocity")).toEqual({ B: 2, A: 3 });
    expect(expectShape(ones([4, 4]), "N N", "square")).toEqual({ N: 4 });
    expect(expectShape(ones([2, 3]), "B M", "x", { M: 3 })).toEqual({ B: 2, M: 3 });
  });

  it.each<[string, number[], string, Record<string, number>, string]>([
    ["too few dimensions", [2], "B A", {}, "x: expected [B, A], got [2]"],
    ["a number that differs", [2, 3], "B 4", {}, "x: expected [B, 4], got [2, 3]"],
    ["a letter that is known", [2, 3], "B M", { M: 5 }, "x: expected [B, M=5], got [2, 3]"],
    ["a letter that occurs twice", [2, 3], "N N", {}, "x: expected [N, N], got [2, 3]"],
    ["a scalar", [], "B", {}, "x: expected [B], got []"],
  ])("says what differs: %s", (_, shape, pattern, known, text) => {
    expect(() => expectShape(ones(shape), pattern, "x", known)).toThrow(new ShapeError(text));
  });

  it("checks the dtype if one is given", () => {
    expect(expectShape(ones([2]), "B", "x", {}, "float32")).toEqual({ B: 2 });
    expect(() => expectShape(ones([2]), "B", "x", {}, "bool")).toThrow("x: expected bool[B], got float32[2]");
  });
});
