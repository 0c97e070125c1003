/** What was found by killing: states that only a kill between two certain calls leaves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, vi } from "vitest";
import { command as makeDataset } from "../../src/cli/commands/make-dataset.js";
import { EvalRecord } from "../../src/cli/eval-record.js";
import { LeRobotDataset } from "../../src/data/index.js";
import { removeLeftovers, removeUnfinished } from "../../src/support/atomic-file.js";
import { lockFolder } from "../../src/support/folder-lock.js";
import { rollBack } from "../../src/train/checkpoint.js";
import { openRunFolder } from "../../src/train/run-folder.js";
import { runCommand } from "../commands/run-command.js";
import { lastCheckpoint, RUNS, resultOf, temporaryFolder, train, trainIn } from "../runs/training-run.js";
import { armFault, callsSoFar } from "./fault-at-call.mjs";
import { killCommand } from "./kill.mjs";
import { killedCommands } from "./killed-commands.mjs";
import { runProgram } from "./run-program.mjs";

// Many processes, some at the same time.
vi.setConfig({ testTimeout: 600_000 });

/** A number that no process has. */
const GONE = 2 ** 31 - 2;

describe("a run that was killed between a checkpoint and the link to it", () => {
  it.each(["its first", "a later"])("goes on from that checkpoint or the one before: %s", async (which) => {
    const schedule = ["--policy.scheduler_decay_steps=1", "--policy.scheduler_decay_lr=1e-3", "--save_freq=1"];
    const unbroken = await train(...RUNS.reflow, ...schedule, "--steps=3");
    const run = await train(...RUNS.reflow, ...schedule, "--steps=2");
    rmSync(lastCheckpoint(run));
    if (which === "its first") rmSync(join(run, "checkpoints/000001"), { recursive: true });
    expect(await trainIn(run, "--resume=true", "--steps=3")).toContain("continuing after step 2");
    expect(resultOf(run).equals(resultOf(unbroken))).toBe(true);
  });
});

describe("what is deleted", () => {
  it("is never a checkpoint with half of its files: it has lost its name by then", async () => {
    const run = await train(...RUNS["flow matching"], "--save_freq=1", "--steps=2");
    await armFault({ kind: "count", at: 0 });
    const isWhole = (name: string): boolean =>
      existsSync(join(run, "checkpoints", name, "pretrained_model/config.json"));
    await rollBack(run, { step: 1, folder: join(run, "checkpoints/000001") });
    expect([isWhole("000001"), existsSync(join(run, "checkpoints/000002"))]).toEqual([true, false]);
    expect(callsSoFar().filter((name) => name === "rename" || name === "rm")).toEqual(["rename", "rename", "rm"]);
    for (const at of [0, 1, 2]) {
      const copy = join(temporaryFolder(), "copy");
      cpSync(run, copy, { recursive: true, verbatimSymlinks: true });
      const folder = await openRunFolder(copy, { resume: false, overwrite: true });
      await armFault({ kind: "broken", at });
      await expect(folder.clear()).rejects.toThrow("EIO");
      await armFault(undefined);
      folder.release();
      const left = join(copy, "checkpoints");
      expect(existsSync(left) ? readdirSync(left).sort() : "none").toEqual(at === 0 ? ["000001", "last"] : "none");
    }
  });

  it("of a killed process is what it left half-written; a running one's stays", async () => {
    const folder = temporaryFolder();
    const names = [`.a.${GONE}-0f.tmp`, `.a.${process.ppid}-0f.tmp`, `.b.${GONE}-0f.tmp`, "a", ".a.tmp"];
    for (const name of names) writeFileSync(join(folder, name), "");
    await removeLeftovers(join(folder, "a"));
    expect(readdirSync(folder).sort()).toEqual(names.slice(1).sort());
    await removeUnfinished(folder);
    expect(readdirSync(folder).sort()).toEqual([".a.tmp", "a"]);
  });
});

describe("a dataset that is replaced", () => {
  const make = (folder: string, ...flags: readonly string[]) =>
    runCommand(makeDataset, ["--env.type=avoiding", "--episodes=1", `--output=${folder}`, ...flags]);

  it("is put back by the next writer if one was killed between the old one's name and the new one's", async () => {
    const folder = join(temporaryFolder(), "data");
    await make(folder);
    renameSync(folder, join(folder, "..", `.data.${GONE}-0f.tmp`));
    const { code, err } = await make(folder);
    expect([code, err]).toEqual([1, expect.stringContaining("expected no dataset there yet, got a dataset")]);
    await using dataset = await LeRobotDataset.open({ root: folder });
    expect(dataset.numEpisodes).toBe(1);
    expect(readdirSync(join(folder, ".."))).toEqual(["data"]);
  });

  it("stays if the new one cannot take its place", async () => {
    const folder = join(temporaryFolder(), "data");
    await make(folder);
    const before = readFileSync(join(folder, "meta/info.json"), "utf8");
    const report = join(temporaryFolder(), "calls.json");
    const args = ["make-dataset", "--env.type=avoiding", "--episodes=2", `--output=${folder}`, "--overwrite=true"];
    const copy = `${folder}2`;
    cpSync(folder, copy, { recursive: true });
    await runProgram([...args.slice(0, 3), `--output=${copy}`, "--overwrite=true"], {
      fault: { kind: "count", at: 0, report },
    });
    const calls = JSON.parse(readFileSync(report, "utf8")) as string[];
    const rename = calls.lastIndexOf("rename");
    for (const at of [rename, rename + 1]) {
      const { code, err } = await runProgram(args, { fault: { kind: "broken", at } });
      expect([code, err]).toEqual([1, expect.stringContaining(`${folder}: the dataset cannot be written (EIO`)]);
      expect(readFileSync(join(folder, "meta/info.json"), "utf8")).toBe(before);
    }
  });
});

describe("two processes in one place", () => {
  it("of many that find the lock of a killed one at the same moment, one gets it", async () => {
    const script = join(import.meta.dirname, "lock-at-once.mjs");
    for (let round = 0; round < 3; round++) {
      const folder = temporaryFolder();
      writeFileSync(join(folder, ".lock"), String(GONE));
      const tries = Array.from({ length: 6 }, () => {
        const child = spawn(process.execPath, [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
        return { child, nextLine: async () => (await lines.next()).value as string, ended: once(child, "close") };
      });
      const nextLines = () => Promise.all(tries.map(({ nextLine }) => nextLine()));
      expect(new Set(await nextLines())).toEqual(new Set(["ready"]));
      const moment = Date.now() + 50;
      for (const { child } of tries) child.stdin.write(`${moment}\n`);
      const said = await nextLines();
      for (const { child } of tries) child.stdin.end();
      await Promise.all(tries.map(({ ended }) => ended));
      expect(said.filter((text) => text === "locked")).toHaveLength(1);
      expect(said.filter((text) => /^test: process \d+ is in .*\. Wait for it/.test(text))).toHaveLength(5);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it("a lock holds a number from its first moment on, and one that cannot be deleted bars nobody", async () => {
    const words = { command: "test", activity: "in", option: "folder", kind: "test" };
    const folder = temporaryFolder();
    await armFault({ kind: "count", at: 0 });
    const release = lockFolder(folder, words);
    expect(readFileSync(join(folder, ".lock"), "utf8")).toBe(String(process.pid));
    await armFault({ kind: "broken", at: 0 });
    release();
    await armFault(undefined);
    expect(readdirSync(folder)).toEqual([".lock"]);
    lockFolder(folder, words)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("whoever gets a lock removes what killed ones left while they tried", () => {
    const folder = temporaryFolder();
    const others = [`..lock.${GONE}-0f.tmp`, `..lock.takeover.${GONE}-0f.tmp`, ".lock.takeover"];
    for (const names of [others, [".lock", ...others]]) {
      for (const name of names) writeFileSync(join(folder, name), String(GONE));
      lockFolder(folder, { command: "test", activity: "in", option: "folder", kind: "test" })();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it("a lock that cannot be read is an error with its place", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, ".lock"));
    expect(() => lockFolder(folder, { command: "test", activity: "in", option: "folder", kind: "test" })).toThrow(
      `test: ${join(folder, ".lock")} cannot be read (EISDIR`,
    );
  });

  it("an evaluation's file is written by one at a time", async () => {
    const file = join(temporaryFolder(), "eval_info.json");
    const record = await EvalRecord.open(file, false);
    await expect(EvalRecord.open(file, false)).rejects.toThrow(
      `eval: process ${process.pid} is already writing an evaluation to ${file}. Wait for it, or choose another output_dir or output_file`,
    );
    record.close();
    (await EvalRecord.open(file, false)).close();
  });

  it.each(["reflow", "pairs", "make-dataset", "pipeline", "compare", "eval"])(
    "the second is refused while the first goes on: %s",
    async (name) => {
      const root = temporaryFolder();
      const [command] = await killedCommands(root, [name]);
      const folder = join(root, "out");
      const both = await Promise.all([0, 1].map(() => runProgram(command!.args(folder))));
      const codes = both.map(({ code }) => code).sort();
      const refused = both.find(({ code }) => code !== 0);
      // The first may have ended before the second began; then that is refused for what it finds, or finds nothing to do.
      if (refused === undefined) expect(["pairs", "pipeline"]).toContain(name);
      else {
        expect(codes).toEqual([0, 1]);
        expect(refused.err).toMatch(
          /process \d+ is already|already holds|expected no dataset|expected a place without/,
        );
      }
      await command!.expectReadable(folder);
    },
  );
});

describe("the harness", () => {
  it("reports a result that is not that of an unbroken run, with what it takes to see it again", async () => {
    const root = temporaryFolder();
    const [pairs] = await killedCommands(root, ["pairs"]);
    let count = 0;
    const fragile = { ...pairs!, resultOf: () => String(count++) };
    const { failures } = await killCommand(fragile, { kills: 1, seed: 1, root });
    expect(failures[0]).toMatch(/^seed 1, pairs, run 0, after .*: another result than that of an unbroken run/);
  });
});
