import { describe, expect, it } from "vitest";
import { formatPythonFloat, PythonFloat, stringifyAsPython } from "./python-json.js";

describe("formatPythonFloat", () => {
  it.each([
    [4, "4.0"],
    [1e-8, "1e-08"],
    [2.5e-6, "2.5e-06"],
    [1e-4, "0.0001"],
    [4e-3, "0.004"],
    [-0.00123, "-0.00123"],
    [0.1, "0.1"],
    [-12.5, "-12.5"],
    [0, "0.0"],
    [-0, "-0.0"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [1.5e300, "1.5e+300"],
    [123456.789, "123456.789"],
  ])("prints %d as Python does", (value, text) => {
    expect(formatPythonFloat(value)).toBe(text);
  });
});

describe("stringifyAsPython", () => {
  it("prints nested data with Python's indentation, separators and empty containers", () => {
    expect(stringifyAsPython({ a: [1, new PythonFloat(2)], b: {}, c: [], d: null, e: undefined }, 2)).toBe(
      '{\n  "a": [\n    1,\n    2.0\n  ],\n  "b": {},\n  "c": [],\n  "d": null\n}',
    );
  });
  it("escapes everything outside ASCII, also pairs of surrogates", () => {
    expect(stringifyAsPython("é\u{1f600}\n", 2)).toBe('"\\u00e9\\ud83d\\ude00\\n"');
  });
});
