/** The page on the doctor holds the faults that are tested, and every check is set off by one of them. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CHECKS } from "../../src/doctor/index.js";
import { FINDING_KINDS } from "../../src/train/health/index.js";
import type { Fault } from "./fault.js";
import { FOLDER_FAULTS } from "./folder-faults.js";
import { PROGRAM_FAULTS } from "./program-faults.js";
import { COPY_FAULTS, PAIR_FAULTS, SETTINGS_FAULTS, TEACHER_FAULTS } from "./run-faults.js";
import { TRAINED_FAULTS } from "./trained-faults.js";

const FAULTS: readonly Fault[] = [
  ...TEACHER_FAULTS,
  ...PAIR_FAULTS,
  ...COPY_FAULTS,
  ...SETTINGS_FAULTS,
  ...TRAINED_FAULTS,
  ...FOLDER_FAULTS,
  ...PROGRAM_FAULTS,
];

const PAGE = readFileSync("docs/guide/doctor.md", "utf8");

/** Cells of the rows of a table of the page, by its header. */
function tableOf(header: string): string[][] {
  const [, rows] = PAGE.split(`${header}\n`);
  return rows!
    .split("\n")
    .slice(1)
    .filter((_, i, all) => all.slice(0, i + 1).every((line) => line.startsWith("|")))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe("docs/guide/doctor.md", () => {
  it("lists every fault that is tested, in turn, with who names it and how", () => {
    expect(tableOf("| fault | who | names it |")).toEqual(
      FAULTS.map(({ fault, who, names }) => [fault, who, who === "doctor" ? `\`${names}\`` : `"${names}"`]),
    );
  });

  it("lists every check, in turn, with what it claims", () => {
    expect(tableOf("| check | claim |")).toEqual(CHECKS.map(({ id, title }) => [`\`${id}\``, title]));
  });
});

describe("checks", () => {
  it("are each set off by a fault", () => {
    const named = new Set(FAULTS.filter(({ who }) => who === "doctor").map(({ names }) => names));
    expect(CHECKS.map(({ id }) => id).filter((id) => !named.has(id))).toEqual([]);
  });

  it("depend on earlier ones alone, by their names", () => {
    const ids = CHECKS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const wrong = CHECKS.flatMap(({ id, after = [] }, i) =>
      after.filter((other) => !ids.slice(0, i).includes(other)).map((other) => `${id} after ${other}`),
    );
    expect(wrong).toEqual([]);
  });
});

it("findings of the health watch that are named are ones that it has", () => {
  const kinds: readonly string[] = FINDING_KINDS;
  expect(TRAINED_FAULTS.filter(({ who, names }) => who === "health" && !kinds.includes(names))).toEqual([]);
});
