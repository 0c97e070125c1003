import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { CONVENTIONS, PROVENANCE_FILE, type Provenance, readProvenance, writeProvenance } from "./provenance.js";

const folder = mkdtempSync(join(tmpdir(), "reflow-provenance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FIRST: Provenance = {
  format: 1,
  objective: "flow matching",
  step: 7,
  conventions: CONVENTIONS,
  statisticsSha256: "ab12",
  resourceFolders: ["/somewhere"],
};

const THIRD: Provenance = {
  ...FIRST,
  k: 3,
  objective: "reflow",
  teacher: { path: "/teacher", weightsSha256: "cd34", k: 2 },
  pairs: {
    solver: "heun",
    grid: "uniform",
    numSteps: 10,
    paddedDims: "zero",
    source: "fresh",
    noisesPerObservation: 2,
  },
  studentInit: "teacher",
  time: { law: "u_shaped", atoms: [1], shareAtAtoms: 0.25, steepness: 4 },
  loss: { distance: "l2" },
  realData: { share: 0.1, kind: "demonstrations", timeLaw: "beta" },
  ema: { decay: 0.999 },
  distilled: true,
};

const read = (content: unknown) => {
  writeFileSync(join(folder, PROVENANCE_FILE), JSON.stringify(content));
  return readProvenance(folder);
};

describe("the provenance of a policy", () => {
  it.each([
    ["first", FIRST],
    ["third, with everything that can be said of it", THIRD],
  ])("that is a %s rectified flow is read as it was written", async (_, provenance) => {
    await writeProvenance(folder, provenance);
    expect(await readProvenance(folder)).toEqual(provenance);
  });

  it("of a later version is read whole: keys that are not known are kept, in every section", async () => {
    const later = {
      ...THIRD,
      seeds: [1, 2],
      conventions: { ...CONVENTIONS, frame: "base" },
      teacher: { ...THIRD.teacher, revision: "main" },
      pairs: { ...THIRD.pairs, store: "/pairs" },
      time: { ...THIRD.time, exponent: 4 },
      loss: { ...THIRD.loss, delta: 0.1 },
      realData: { ...THIRD.realData, dataset: "me/thing" },
      ema: { ...THIRD.ema, warmup: 10 },
    };
    expect(await read(later)).toEqual(later);
  });

  it("is undefined in a folder of LeRobot's own", async () => {
    expect(await readProvenance(join(folder, "absent"))).toBeUndefined();
  });

  it("with values of wrong types is refused, naming the file and every key", async () => {
    const damaged = {
      ...THIRD,
      k: "3",
      pairs: { ...THIRD.pairs, numSteps: 0, grid: 1, noisesPerObservation: 1.5 },
      time: { law: null, atoms: [2], shareAtAtoms: 2 },
      loss: "l2",
      realData: { share: -1 },
      ema: { decay: 1 },
      distilled: "yes",
      statisticsSha256: undefined,
    };
    const path = join(folder, PROVENANCE_FILE);
    await expect(read(damaged)).rejects.toThrow(
      [
        `${path}: 12 problems`,
        '  - k: expected a number, got "3"',
        "  - pairs.numSteps: expected a number of at least 1, got 0",
        "  - pairs.grid: expected a text, got 1",
        "  - pairs.noisesPerObservation: expected a whole number, got 1.5",
        "  - time.law: expected a text, got null",
        "  - time.atoms.0: expected a number of at most 1, got 2",
        "  - time.shareAtAtoms: expected a number of at most 1, got 2",
        '  - loss: expected an object, got "l2"',
        "  - realData.share: expected a number of at least 0, got -1",
        "  - ema.decay: expected a number below 1, got 1",
        '  - distilled: expected true or false, got "yes"',
        "  - statisticsSha256: expected a text, got nothing",
      ].join("\n"),
    );
    await expect(read({ ...FIRST, format: 2 })).rejects.toThrow(`${path} at format: expected 1, got 2`);
  });
});
