import { expect, it } from "vitest";
import { flattenSettings } from "./flatten-settings.js";

it("settings are listed by dotted path, with lists, nulls and empty sections whole", () => {
  expect(flattenSettings({ a: { b: { c: 1 }, d: [1, { e: 2 }] }, f: null, g: "x", h: {}, i: undefined })).toEqual([
    { path: "a.b.c", value: "1" },
    { path: "a.d", value: '[1,{"e":2}]' },
    { path: "f", value: "null" },
    { path: "g", value: "x" },
    { path: "h", value: "{}" },
  ]);
  expect(flattenSettings(undefined)).toEqual([]);
});
