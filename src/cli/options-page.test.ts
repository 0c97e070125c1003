import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { describeSettings } from "../train/describe-settings.js";
import { formatOptionsPage } from "./options-page.js";

it("every setting has a description", () => {
  expect(describeSettings().filter(({ description }) => description === "")).toEqual([]);
});

it("the page of all settings is as the code has them: write it anew with `npm run docs`", () => {
  expect(readFileSync("docs/guide/options.md", "utf8")).toBe(formatOptionsPage());
});
