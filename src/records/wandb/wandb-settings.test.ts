import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Environment, resolveWandb, type WandbSettings, wandbRunId } from "./wandb-settings.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wandb-settings-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const KEY = "0123456789abcdef0123456789abcdef01234567";
const SETTINGS: WandbSettings = {
  ...{ enable: true, project: "pusht", entity: undefined, notes: undefined, runId: undefined, mode: undefined },
};
const resolve = (settings: Partial<WandbSettings>, environment: Environment = {}) =>
  resolveWandb({ ...SETTINGS, ...settings }, { HOME: folder, ...environment });

describe("resolveWandb", () => {
  it("sends a run without a mode if there is a key, and keeps it offline if not", () => {
    expect(resolve({}, { WANDB_API_KEY: KEY })).toMatchObject({
      server: { baseUrl: "https://api.wandb.ai", apiKey: KEY },
    });
    expect(resolve({})).toMatchObject({ server: undefined, isOfflineByChoice: false });
    expect(resolve({}, { WANDB_API_KEY: "" })).toMatchObject({ server: undefined });
  });

  it("follows the setting before the variable", () => {
    const environment = { WANDB_API_KEY: KEY, WANDB_MODE: "offline", WANDB_ENTITY: "lab", WANDB_NOTES: "a note" };
    expect(resolve({}, environment)).toEqual({
      ...{ server: undefined, isOfflineByChoice: true, project: "pusht", entity: "lab", notes: "a note" },
    });
    const settings = { mode: "online", entity: "me", notes: "mine" } as const;
    expect(resolve(settings, environment)).toMatchObject({ server: { apiKey: KEY }, entity: "me", notes: "mine" });
    expect(resolve({}, { ...environment, WANDB_MODE: "dryrun" })).toMatchObject({ isOfflineByChoice: true });
  });

  it("writes nothing when it is off or disabled", () => {
    expect(resolve({ enable: false }, { WANDB_API_KEY: KEY })).toBeUndefined();
    expect(resolve({ mode: "disabled" }, { WANDB_API_KEY: KEY })).toBeUndefined();
    expect(resolve({}, { WANDB_API_KEY: KEY, WANDB_MODE: "disabled" })).toBeUndefined();
  });

  it("finds the key that `wandb login` has saved for the server", () => {
    writeFileSync(
      join(folder, ".netrc"),
      `machine other.host login me password wrong\nmachine wandb.lab\n  login user\n  password ${KEY}\nmachine third password no\n`,
    );
    expect(resolve({}, { WANDB_BASE_URL: "https://wandb.lab:8443/base/" })?.server).toEqual({
      ...{ baseUrl: "https://wandb.lab:8443/base", apiKey: KEY },
    });
    expect(resolve({})?.server).toBeUndefined();
    expect(resolve({}, { WANDB_BASE_URL: "https://wandb.lab", NETRC: join(folder, "none") })?.server).toBeUndefined();
  });

  it("refuses online without a key, and variables that say nothing sensible", () => {
    expect(() => resolve({ mode: "online" })).toThrow(
      "wandb.mode: expected a key for online, got none. Set WANDB_API_KEY, or choose wandb.mode=offline and send the run later",
    );
    expect(() => resolve({}, { WANDB_MODE: "toString" })).toThrow(
      'WANDB_MODE: expected online, offline or disabled, got "toString"',
    );
    for (const text of ["wandb.lab", "ftp://wandb.lab", "https://wandb.lab?x=1"]) {
      expect(() => resolve({}, { WANDB_BASE_URL: text })).toThrow(
        `WANDB_BASE_URL: expected an address such as https://api.wandb.ai, got "${text}"`,
      );
    }
  });
});

describe("wandbRunId", () => {
  const runId = (settings: Partial<WandbSettings> = {}, environment: Environment = {}, resume = false): string =>
    wandbRunId({
      runFolder: folder,
      settings: { ...SETTINGS, ...settings },
      environment,
      resume,
      newRunId: () => "new",
    });

  it("is the setting, else the variable, else that of the newest run when it continues, else a new one", () => {
    for (const [name, id] of [
      ["offline-run-20250101_000002-b-2", "b-2"],
      ["run-20250101_000001-a1", "a1"],
    ] as const) {
      mkdirSync(join(folder, "wandb", name), { recursive: true });
      writeFileSync(join(folder, "wandb", name, `run-${id}.wandb`), "");
    }
    mkdirSync(join(folder, "wandb", "offline-run-20250101_000003-empty"));
    expect(runId({ runId: "mine" }, { WANDB_RUN_ID: "theirs" }, true)).toBe("mine");
    expect(runId({}, { WANDB_RUN_ID: "theirs" }, true)).toBe("theirs");
    expect(runId({}, {}, true)).toBe("b-2");
    expect(runId()).toBe("new");
  });

  it("is a new one when there is nothing to continue", () => {
    expect(runId({}, {}, true)).toBe("new");
    const random = { runFolder: folder, settings: SETTINGS, environment: {}, resume: false };
    expect(wandbRunId(random)).toMatch(/^[0-9a-z]{8}$/);
    expect(wandbRunId(random)).not.toBe(wandbRunId(random));
  });

  it("is refused if it cannot name a file", () => {
    for (const id of ["a/b", "..", "two words", "é", "x".repeat(129)]) {
      expect(() => runId({ runId: id })).toThrow(
        `wandb.run_id: expected up to 128 letters, digits, "_", "-" and ".", the first no sign, got "${id}"`,
      );
    }
  });
});
