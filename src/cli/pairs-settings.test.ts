import { expect, it } from "vitest";
import { messageOf } from "../support/errors.js";
import { parsePairsConfig } from "../train/pairs/pairs-config.js";
import { parseOverrides } from "./overrides.js";
import { PAIRS_SETTINGS } from "./pairs-settings.js";

/** What is said about a setting whose value nothing accepts. */
function complaintAbout(name: string): string {
  try {
    parsePairsConfig(parseOverrides([`--${name}=[[1]]`]));
    return "";
  } catch (error) {
    return messageOf(error);
  }
}

it.each(PAIRS_SETTINGS.map(({ name }) => name))("%s, which the help lists, is understood", (name) => {
  expect(complaintAbout(name)).toContain(name);
  expect(complaintAbout(name)).not.toContain("unknown key");
});

it("no other setting is", () => {
  expect(complaintAbout("steps")).toBe("pairs at steps: unknown key");
});
