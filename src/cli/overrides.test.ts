import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { mergeSettings, parseOverrides, parseValue, readSettings, type Settings } from "./overrides.js";

const folder = mkdtempSync(join(tmpdir(), "overrides-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe("parseOverrides", () => {
  it("takes values after = or as the next argument, and flags alone as true, in any order", () => {
    expect(parseOverrides(["--a.b.c=1", "--resume", "--a.b.d", "two", "--steps", "-3", "--last"])).toEqual({
      a: { b: { c: 1, d: "two" } },
      resume: true,
      steps: -3,
      last: true,
    });
  });

  it("keeps everything after the first = as the value", () => {
    expect(parseOverrides(["--notes=a=b"])).toEqual({ notes: "a=b" });
  });

  it("lets the last value of a setting win", () => {
    expect(parseOverrides(["--a=1", "--a=2", "--b=1", "--b.c=2", "--d.e=1", "--d=2"])).toEqual({
      a: 2,
      b: { c: 2 },
      d: 2,
    });
  });

  it("collects the values of a repeatable setting", () => {
    const options = { repeatable: ["image", "a.b"] };
    expect(parseOverrides(["--image=x", "--a.b=1", "--image", "y", "--image=[z]"], options)).toEqual({
      image: ["x", "y", "z"],
      a: { b: [1] },
    });
  });

  it.each([
    [["stray"], 'command line: expected --name=value, got "stray"'],
    [["--a=1", "stray"], 'command line: expected --name=value, got "stray"'],
    [["-x"], 'command line: expected --name=value, got "-x"'],
    [["--a", "-x"], 'command line: expected --name=value, got "-x"'],
    [["--"], 'command line: expected a setting\'s name such as --policy.device, got "--"'],
    [["--=1"], 'command line: expected a setting\'s name such as --policy.device, got "--"'],
    [["--a..b=1"], 'command line: expected a setting\'s name such as --policy.device, got "--a..b"'],
    [["--__proto__.x=1"], 'command line: expected a setting\'s name such as --policy.device, got "--__proto__.x"'],
  ])("refuses %j", (args, message) => {
    expect(() => parseOverrides(args)).toThrow(expect.objectContaining({ message }));
  });

  it("refuses a list that does not end", () => {
    expect(() => parseOverrides(["--a.b=[1, 2"])).toThrow(
      /^--a\.b: expected a list, mapping or quoted text in YAML, got \[1, 2 \(.+\)$/,
    );
  });

  it("gives back any settings that were written as arguments", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/).filter((text) => text !== "__proto__");
    const leaf = fc.oneof(
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean()), { maxLength: 4 }),
      fc.constant({}),
    );
    const { settings } = fc.letrec<{ settings: Settings; value: unknown }>((tie) => ({
      settings: fc.dictionary(name, tie("value"), { minKeys: 1, maxKeys: 4 }),
      value: fc.oneof({ maxDepth: 3 }, leaf, tie("settings")),
    }));
    fc.assert(
      fc.property(settings, fc.boolean(), (given, isSplit) => {
        expect(parseOverrides(toArguments(given, isSplit))).toEqual(given);
      }),
    );
  });
});

/** Settings as arguments: texts in JSON's quotes, everything else as JSON. */
function toArguments(settings: Settings, isSplit: boolean, prefix = ""): string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    const isSection = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isSection && Object.keys(value).length > 0) {
      return toArguments(value as Settings, isSplit, `${prefix}${name}.`);
    }
    const text = JSON.stringify(value);
    return isSplit ? [`--${prefix}${name}`, text] : [`--${prefix}${name}=${text}`];
  });
}

describe("parseValue", () => {
  it.each([
    ["2e-5", 2e-5],
    ["2.5E-06", 2.5e-6],
    ["-1", -1],
    ["+4", 4],
    [".5", 0.5],
    ["0x10", 16],
    ["-.inf", Number.NEGATIVE_INFINITY],
    ["true", true],
    ["False", false],
    ["null", null],
    ["~", null],
    ["[0,1]", [0, 1]],
    ['{"k": "v", n: {m: 1}}', { k: "v", n: { m: 1 } }],
    ['"5"', "5"],
    ["'it''s'", "it's"],
    ['""', ""],
    ["", ""],
    ["yes", "yes"],
    ["2025-08-03", "2025-08-03"],
    ["outputs/train/a b #3", "outputs/train/a b #3"],
    ["5 # five", "5 # five"],
    ["pick: the cube", "pick: the cube"],
    ["user/name@v1", "user/name@v1"],
    ["@home", "@home"],
    ["*", "*"],
    ["---", "---"],
    ["- a", "- a"],
    ["key:", "key:"],
    [" padded ", " padded "],
  ])("reads %j as %j", (text, value) => {
    expect(parseValue(text)).toEqual(value);
  });
});

describe("mergeSettings", () => {
  it("merges mappings key by key and replaces everything else", () => {
    expect(mergeSettings({ a: { b: 1, c: 2 }, d: [1], e: null }, { a: { b: 3 }, d: [2], e: { f: 1 } })).toEqual({
      a: { b: 3, c: 2 },
      d: [2],
      e: { f: 1 },
    });
  });

  it("cannot be used to change what all objects inherit", () => {
    mergeSettings({}, JSON.parse('{"__proto__": {"polluted": 1}}') as Settings);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("readSettings", () => {
  it("puts the command line over a YAML file, key by key", async () => {
    const path = fileWith("run.yaml", "steps: 100\npolicy:\n  type: smolvla\n  optimizer_lr: 1e-4\n");
    expect(await readSettings(["--policy.optimizer_lr=2e-5", `--config_path=${path}`])).toEqual({
      settings: { steps: 100, policy: { type: "smolvla", optimizer_lr: 2e-5 } },
      overrides: { policy: { optimizer_lr: 2e-5 } },
      configPath: path,
    });
  });

  it("reads JSON files too", async () => {
    const path = fileWith("train_config.json", '{"steps": 100, "optimizer": {"eps": 1e-08}}');
    expect((await readSettings(["--config_path", path])).settings).toEqual({ steps: 100, optimizer: { eps: 1e-8 } });
  });

  it("needs no file", async () => {
    const overrides = { steps: 5 };
    expect(await readSettings(["--steps=5"])).toEqual({ settings: overrides, overrides, configPath: undefined });
  });

  it.each([
    ["missing.yaml", undefined, "missing.yaml: file not found"],
    ["list.yaml", "- a\n", 'list.yaml: expected settings as "name: value", got a list'],
    ["text.yaml", "hello", 'text.yaml: expected settings as "name: value", got "hello"'],
    ["empty.yaml", "", 'empty.yaml: expected settings as "name: value", got an empty file'],
    ["twice.yaml", "a: 1\na: 2\n", "twice.yaml: expected a YAML or JSON file (Map keys must be unique"],
    ["broken.json", "{", "broken.json: expected a YAML or JSON file ("],
  ])("refuses %s", async (name, content, message) => {
    const path = content === undefined ? join(folder, name) : fileWith(name, content);
    await expect(readSettings([`--config_path=${path}`])).rejects.toThrow(message);
  });

  it("refuses a folder, and a path that is no text", async () => {
    await expect(readSettings(["--config_path", folder])).rejects.toThrow(
      `${folder}: expected a YAML or JSON file, got a folder`,
    );
    await expect(readSettings(["--config_path"])).rejects.toThrow(
      "--config_path: expected a YAML or JSON file, got true",
    );
  });
});
