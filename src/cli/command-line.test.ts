import { describe, expect, expectTypeOf, it } from "vitest";
import { CheckpointError, ConfigError } from "../support/errors.js";
import { type Command, defineCommand } from "./command.js";
import { formatError, runCommandLine } from "./command-line.js";

interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(argv: readonly string[], commands: readonly Command[], isDebug = false): Promise<Output> {
  const output = { out: "", err: "" };
  const entries = commands.map((command) => ({ name: command.name, load: async () => command }));
  const code = await runCommandLine(argv, entries, {
    version: () => "1.2.3",
    write: (text) => {
      output.out += text;
    },
    writeError: (text) => {
      output.err += text;
    },
    isDebug,
  });
  return { code, ...output };
}

const calls: unknown[] = [];

const predict = defineCommand({
  name: "predict",
  summary: "Predicts actions.",
  description: "Prints one chunk.",
  arguments: {
    policy: { description: "folder or Hub id" },
    frames: { description: "image files", isOptional: true, isVariadic: true },
  },
  options: {
    task: { kind: "text", description: "what to do", isRequired: true },
    steps: { kind: "integer", description: "Euler steps", default: 10 },
    scale: { kind: "number", description: "noise scale", placeholder: "factor" },
    image: { kind: "text", description: "camera=file", isRepeatable: true },
    device: { kind: "text", description: "where to compute", choices: ["cpu", "cuda"] },
    "noise.seed": { kind: "integer", description: "for the noise" },
    json: { kind: "flag", description: "print JSON" },
  },
  examples: ['reflow predict outputs/policy --task "pick the cube"'],
  async run({ arguments: args, options, settings }) {
    expectTypeOf(args.policy).toEqualTypeOf<string>();
    expectTypeOf(args.frames).toEqualTypeOf<readonly string[]>();
    expectTypeOf(options.task).toEqualTypeOf<string>();
    expectTypeOf(options.steps).toEqualTypeOf<number>();
    expectTypeOf(options.scale).toEqualTypeOf<number | undefined>();
    expectTypeOf(options.image).toEqualTypeOf<readonly string[]>();
    expectTypeOf(options.json).toEqualTypeOf<boolean>();
    calls.push({ args, options, settings });
  },
});

const train = defineCommand({
  name: "train",
  summary: "Trains a policy.",
  options: { dry: { kind: "flag", description: "only check the settings" } },
  settings: [
    { name: "steps", description: "optimizer steps" },
    { name: "policy.device", description: "where to compute" },
  ],
  async run({ options, settings }) {
    calls.push({ options, settings });
    return 3;
  },
});

const failing = (error: unknown): Command =>
  defineCommand({ name: "fail", summary: "Fails.", run: (): Promise<void> => Promise.reject(error) });

const COMMANDS = [train, predict];
const lastCall = (): unknown => calls.at(-1);

describe("a command", () => {
  it("gets its arguments and options, in any order, with defaults", async () => {
    const argv = ["predict", "--image", "a=1.png", "folder", "--task=pick", "x.png", "--image=b=2.png", "y.png"];
    expect(await run([...argv, "--scale", "-0.5", "--json"], COMMANDS)).toEqual({ code: 0, out: "", err: "" });
    expect(lastCall()).toEqual({
      args: { policy: "folder", frames: ["x.png", "y.png"] },
      options: {
        task: "pick",
        steps: 10,
        scale: -0.5,
        image: ["a=1.png", "b=2.png"],
        device: undefined,
        "noise.seed": undefined,
        json: true,
      },
      settings: [],
    });
  });

  it("gets dotted options under their own names, and empty lists", async () => {
    await run(["predict", "f", "--task", "t", "--noise.seed=7", "--steps=1"], COMMANDS);
    expect(lastCall()).toMatchObject({
      args: { frames: [] },
      options: { "noise.seed": 7, steps: 1, image: [], json: false },
    });
  });

  it("that takes settings gets all others as they were typed, in their order", async () => {
    const settings = ["--policy.type=smolvla", "--steps", "-1", "--resume", "--a.b", "c d"];
    const argv = ["train", ...settings.slice(0, 3), "--dry", ...settings.slice(3)];
    expect((await run(argv, COMMANDS)).code).toBe(3);
    expect(lastCall()).toEqual({ options: { dry: true }, settings });
  });

  it.each([
    [["predict", "--task=t"], "error: missing required argument 'policy'"],
    [["predict", "f"], "error: required option '--task <text>' is missing"],
    [["predict", "f", "--tusk=t"], "error: unknown option '--tusk=t'\n(Did you mean --task?)"],
    [["predict", "f", "--task"], "error: option '--task <text>' argument missing"],
    [
      ["predict", "f", "--task=t", "--steps=1.5"],
      "error: option '--steps <integer>' argument '1.5' is invalid. Expected a whole number.",
    ],
    [
      ["predict", "f", "--task=t", "--scale=big"],
      "error: option '--scale <factor>' argument 'big' is invalid. Expected a number.",
    ],
    [
      ["predict", "f", "--task=t", "--device=tpu"],
      "error: option '--device <text>' argument 'tpu' is invalid. Expected one of cpu, cuda.",
    ],
  ])("refuses %j with exit code 2", async (argv, message) => {
    const { code, err } = await run(argv, COMMANDS);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toContain('("reflow predict --help" shows what it takes)');
  });

  it("explains itself", async () => {
    const { code, out } = await run(["predict", "--help"], COMMANDS);
    expect(code).toBe(0);
    for (const part of [
      "Usage: reflow predict [options] <policy> [frames...]",
      "Predicts actions.\n\nPrints one chunk.",
      "folder or Hub id",
      "--steps <integer>",
      "Euler steps (default: 10)",
      "--scale <factor>",
      "where to compute (one of cpu, cuda)",
      "camera=file (may be repeated)",
      'Examples:\n  reflow predict outputs/policy --task "pick the cube"',
    ]) {
      expect(out).toContain(part);
    }
    expect((await run(["help", "predict"], COMMANDS)).out).toBe(out);
  });

  it("lists its settings", async () => {
    const { out } = await run(["train", "-h"], COMMANDS);
    expect(out).toContain("Usage: reflow train [options] [--setting=value ...]");
    expect(out).toContain("  --steps          optimizer steps\n  --policy.device  where to compute");
  });
});

describe("the program", () => {
  it("lists its commands when asked for help", async () => {
    const { code, out } = await run(["--help"], COMMANDS);
    expect(code).toBe(0);
    expect(out).toContain("Commands:\n  train    Trains a policy.\n  predict  Predicts actions.\n");
    expect((await run(["help"], COMMANDS)).out).toBe(out);
    expect(await run([], COMMANDS)).toEqual({ code: 2, out: "", err: out });
  });

  it("prints its version", async () => {
    expect(await run(["--version"], COMMANDS)).toEqual({ code: 0, out: "1.2.3\n", err: "" });
  });

  it.each([
    ["tarin", 'reflow: expected a command (train, predict), got "tarin". Did you mean "train"?\n'],
    ["serve-it", 'reflow: expected a command (train, predict), got "serve-it". "reflow --help" lists all commands\n'],
  ])("refuses the command %s with exit code 2", async (name, err) => {
    expect(await run([name], COMMANDS)).toEqual({ code: 2, out: "", err });
  });

  it("prints only the message of what a user can mend", async () => {
    const error = new CheckpointError("outputs/policy: file not found");
    expect(await run(["fail"], [failing(error)])).toEqual({ code: 1, out: "", err: `${error.message}\n` });
  });

  it("prints where such an error comes from when debugging", async () => {
    const { code, err } = await run(["fail"], [failing(new ConfigError("train", "wrong"))], true);
    expect(code).toBe(1);
    expect(err).toMatch(/ConfigError: train: wrong\n\s+at /);
  });

  it("prints everything about a fault of its own", async () => {
    const { code, err } = await run(["fail"], [failing(new TypeError("x is undefined"))]);
    expect(code).toBe(1);
    expect(err).toMatch(/^internal: TypeError: x is undefined\n\s+at /);
    expect(formatError(new Error("internal: lost"), false)).toMatch(/^Error: internal: lost\n/);
    expect(formatError("text", false)).toBe("internal: 'text'");
  });

  it("reports a command that cannot be loaded", async () => {
    const entry = { name: "train", load: () => Promise.reject(new Error("no such module")) };
    let err = "";
    const host = {
      version: () => "",
      write: () => {},
      writeError: (text: string) => {
        err += text;
      },
      isDebug: false,
    };
    expect(await runCommandLine(["train"], [entry], host)).toBe(1);
    expect(err).toContain("internal: Error: no such module");
  });
});
