import { describe, expect, it } from "vitest";
import { formatBigNumber, formatExponent, formatFixed } from "./format-number.js";

// The expected texts were printed by Python 3.11 with the same numbers.

describe("formatFixed", () => {
  it.each([
    [0.0625, "0.062"],
    [0.1875, "0.188"],
    [0.1235, "0.123"],
    [2.675, "2.675"],
    [1.0005, "1.000"],
    [-0.0001, "-0.000"],
    [-0, "-0.000"],
    [123.4565, "123.457"],
    [1e22, "10000000000000000000000.000"],
    [0.0005, "0.001"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
    [Number.NaN, "nan"],
  ])("prints %d as Python's .3f does", (value, text) => {
    expect(formatFixed(value, 3)).toBe(text);
  });

  it("rounds ties to the even digit", () => {
    expect([0.5, 1.5, 2.5, 3.5, 0.4999999].map((value) => formatFixed(value, 0))).toEqual(["0", "2", "2", "4", "0"]);
  });
});

describe("formatExponent", () => {
  it.each([
    [1e-5, "1.0e-05"],
    [0.125, "1.2e-01"],
    [0.375, "3.8e-01"],
    [2.5e-6, "2.5e-06"],
    [0, "0.0e+00"],
    [9.96e-5, "1.0e-04"],
    [1, "1.0e+00"],
    [1e-100, "1.0e-100"],
    [-1.35, "-1.4e+00"],
    [Number.NaN, "nan"],
  ])("prints %d as Python's .1e does", (value, text) => {
    expect(formatExponent(value, 1)).toBe(text);
  });
});

describe("formatBigNumber", () => {
  it.each([
    [0, "0"],
    [200, "200"],
    [999, "999"],
    [999.6, "1000"],
    [1000, "1K"],
    [1600, "2K"],
    [2500, "2K"],
    [3500, "4K"],
    [20100, "20K"],
    [99_880_992, "100M"],
    [450_046_176, "450M"],
    [1.5e9, "2B"],
    [2e12, "2T"],
    [3e15, "3Q"],
    [5e18, "5.0"],
    [0.5, "0"],
    [-1234, "-1K"],
    [Number.NaN, "nan"],
  ])("prints %d as LeRobot does", (value, text) => {
    expect(formatBigNumber(value)).toBe(text);
  });

  it("keeps as many decimals as asked for", () => {
    expect(formatBigNumber(20_100, 1)).toBe("20.1K");
  });
});
