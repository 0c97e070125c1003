import { spawn } from "node:child_process";
import { once } from "node:events";
import type * as fs from "node:fs";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { LogSink } from "./log-sink.js";
import { type LogSinkRequest, openLogSinks } from "./open-log-sinks.js";
import type { RunEvent, RunStartEvent } from "./run-event.js";
import { readFramedRecords } from "./wandb/log-frames.js";
import { readRecord } from "./wandb/run-records.js";
import { UPLOAD_TIMING } from "./wandb/run-uploader.js";
import { MockWandb, stepsOf } from "./wandb/testing/mock-wandb.js";

/** Whether every disk is full. */
let isDiskFull = false;
vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  const writeSync = (...args: Parameters<typeof real.writeSync>): number => {
    if (isDiskFull) throw new Error("ENOSPC: no space left on device, write");
    return real.writeSync(...args);
  };
  return { ...real, writeSync };
});

let runFolder: string;
let messages: string[];
beforeEach(() => {
  runFolder = mkdtempSync(join(tmpdir(), "log-sinks-"));
  messages = [];
});
afterEach(() => {
  isDiskFull = false;
  rmSync(runFolder, { recursive: true });
});

/** A server in a process of its own, which writes down what it is sent. */
const SERVER_PROGRAM = `
const { createServer } = require("node:http");
const { appendFileSync } = require("node:fs");
createServer((request, response) => {
  request.on("data", (data) => appendFileSync(process.argv[1], data));
  request.on("end", () => response.end('{"data":{"upsertBucket":{"bucket":{"project":{"name":"pusht","entity":{"name":"lab"}}}}}}'));
}).listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`;

const WANDB = {
  ...{ enable: true, project: "pusht", entity: "lab", notes: undefined, runId: "abc12345", mode: undefined },
} as const;

const start = (step: number): RunStartEvent => ({ event: "run-start", step, config: { batch_size: 8 }, versions: {} });
const loss = (step: number, value = 0.5): RunEvent => ({ event: "step", step, metrics: { "train/loss": value } });
const END: RunEvent = { event: "end", step: 20, reason: "completed" };

const open = (request: Partial<LogSinkRequest> = {}): LogSink =>
  openLogSinks({
    ...{ runFolder, jobName: "straight", tags: ["seed:1000", `dataset:${"x".repeat(80)}`], resume: false },
    ...{ tensorboard: false, wandb: WANDB, environment: { HOME: runFolder } },
    onMessage: (kind, message) => messages.push(`${kind}: ${message}`),
    now: () => new Date(2025, 7, 3, 4, 5, 9),
    uploadTiming: { ...UPLOAD_TIMING, gatherMs: 10, minRetryMs: 10 },
    ...request,
  });

async function log(request: Partial<LogSinkRequest>, ...events: readonly RunEvent[]): Promise<void> {
  const sink = open(request);
  for (const event of events) sink.record(event);
  await sink.close();
}

const folder = (): string => join(runFolder, "wandb", "offline-run-20250803_040509-abc12345");

const stepsInFile = (): number[] =>
  Array.from(readFramedRecords(readFileSync(join(folder(), "run-abc12345.wandb"))), ({ record }) =>
    readRecord(record),
  ).flatMap((known) => (known.kind === "history" ? [known.step] : []));

const online = (server: MockWandb): Partial<LogSinkRequest> => ({
  environment: { HOME: runFolder, WANDB_API_KEY: "0123456789", WANDB_BASE_URL: server.url },
});

describe("without a key", () => {
  it("a run is kept in a folder as the real client names it, and its user is told where and how to send it", async () => {
    await log({}, start(0), loss(10), loss(20), END);
    expect(stepsInFile()).toEqual([10, 20]);
    expect(readdirSync(folder())).toEqual(["files", "run-abc12345.wandb"]);
    expect(readlinkSync(join(runFolder, "wandb", "latest-run"))).toBe("offline-run-20250803_040509-abc12345");
    expect(messages).toEqual([
      `info: wandb: the run is kept in ${folder()}, as there is no key (WANDB_API_KEY)`,
      `info: wandb: send the run with: wandb sync ${folder()}`,
    ]);
  });

  it("a run that continues goes on in its folder, under its id", async () => {
    await log({}, start(0), loss(10), loss(20), loss(30));
    writeFileSync(join(folder(), "run-abc12345.wandb.synced"), "");
    await log({ resume: true, wandb: { ...WANDB, runId: undefined } }, start(20), loss(30), loss(40), END);
    expect(stepsInFile()).toEqual([10, 20, 30, 40]);
    expect(readdirSync(join(runFolder, "wandb"))).toEqual(["latest-run", "offline-run-20250803_040509-abc12345"]);
    expect(existsSync(join(folder(), "run-abc12345.wandb.synced"))).toBe(false);
  });

  it("a run that begins again under the same id has a folder of its own", async () => {
    await log({}, start(0), loss(10));
    await log({}, start(0), loss(10));
    expect(readdirSync(join(runFolder, "wandb"))).toContain("offline-run-20250803_040510-abc12345");
  });
});

it("nothing is written for what is off or disabled", async () => {
  await log({ wandb: { ...WANDB, enable: false } }, start(0), loss(10), END);
  await log({ wandb: { ...WANDB, mode: "disabled" } }, start(0), loss(10), END);
  expect(readdirSync(runFolder)).toEqual([]);
  expect(messages).toEqual([]);
});

describe("with a server", () => {
  it("a run is sent while it trains, kept in its folder too, and marked as sent", async () => {
    await using server = await MockWandb.start();
    const sink = open(online(server));
    for (const event of [start(0), loss(10), loss(20)]) sink.record(event);
    await vi.waitFor(() => expect(server.run("abc12345")?.rows).toHaveLength(1));
    sink.record({ event: "evaluation", step: 20, metrics: { "eval/error": 3 } });
    sink.record(END);
    await sink.close();
    const run = server.run("abc12345")!;
    expect(run.path).toBe("lab/pusht/abc12345");
    expect(run.upserts[0]).toMatchObject({ displayName: "straight", tags: ["seed:1000", `dataset:${"x".repeat(56)}`] });
    expect(stepsOf(run.rows)).toEqual([10, 20]);
    expect(JSON.parse(run.rows[1]!)).toMatchObject({ "train/loss": 0.5, "eval/error": 3 });
    expect(run.exitCode).toBe(0);
    expect(stepsInFile()).toEqual([10, 20]);
    expect(existsSync(join(folder(), "run-abc12345.wandb.synced"))).toBe(true);
    expect(messages).toEqual([`info: wandb: track this run at ${server.url}/lab/pusht/runs/abc12345`]);
  });

  it("a run that continues is sent on, and its end says how it ended", async () => {
    await using server = await MockWandb.start();
    await log(online(server), start(0), loss(10), loss(20));
    expect(server.run("abc12345")?.exitCode).toBe(1);
    await log({ ...online(server), resume: true }, start(20), loss(30), {
      event: "end",
      step: 30,
      reason: "interrupted",
    });
    expect(stepsOf(server.run("abc12345")!.rows)).toEqual([10, 20, 30]);
    expect(server.run("abc12345")?.exitCode).toBe(255);
  });

  it.each(["hang", { status: 503, text: "down" }] as const)(
    "one that answers %j holds up neither events nor the end for longer than the limit",
    async (behaviour) => {
      await using server = await MockWandb.start();
      server.behaviour = behaviour;
      const sink = open({ ...online(server), closeLimitMs: 300 });
      const began = performance.now();
      sink.record(start(0));
      for (let step = 1; step <= 1_000; step++) sink.record(loss(step));
      sink.record(END);
      expect(performance.now() - began).toBeLessThan(4_000);
      const closing = performance.now();
      await sink.close();
      expect(performance.now() - closing).toBeLessThan(4_000);
      expect(stepsInFile()).toHaveLength(1_000);
      expect(existsSync(join(folder(), "run-abc12345.wandb.synced"))).toBe(false);
      expect(messages.at(-1)).toBe(
        `warning: wandb: the server does not have all of the run. Send it with: wandb sync ${folder()}`,
      );
      const outage = `warning: wandb: ${server.url} answers with status 503 (down). Sending is tried again in the background; everything is kept in ${folder()}`;
      expect(messages.slice(0, -1)).toEqual(behaviour === "hang" ? [] : [outage]);
    },
  );

  it("one that refuses is told once, and nothing more is sent", async () => {
    await using server = await MockWandb.start();
    server.behaviour = { status: 401, text: "no such key" };
    const sink = open(online(server));
    sink.record(start(0));
    await vi.waitFor(() => expect(messages).toHaveLength(1));
    for (const event of [loss(10), END]) sink.record(event);
    await sink.close();
    expect(messages).toEqual([
      `warning: wandb: ${server.url} answers with status 401 (no such key). Nothing more is sent; everything is kept in ${folder()}`,
      `warning: wandb: the server does not have all of the run. Send it with: wandb sync ${folder()}`,
    ]);
    expect(server.numRequests).toBe(1);
  });

  it("a step that holds the thread does not hold up the sending", async () => {
    const received = join(runFolder, "received");
    const child = spawn(process.execPath, ["-e", SERVER_PROGRAM, received], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill());
    const [port] = (await once(child.stdout, "data")) as [Buffer];
    const sink = open({
      environment: { WANDB_API_KEY: "key", WANDB_BASE_URL: `http://127.0.0.1:${String(port).trim()}` },
    });
    for (const event of [start(0), loss(10), loss(20)]) sink.record(event);
    const hasArrived = (): boolean => existsSync(received) && readFileSync(received, "utf8").includes('_step\\":10');
    const clock = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 200 && !hasArrived(); i++) Atomics.wait(clock, 0, 0, 100); // no turn of the event loop
    expect(hasArrived()).toBe(true);
    await sink.close();
  });
});

describe("on a full disk", () => {
  it("each log ends with one warning, and training goes on", async () => {
    const sink = open({ tensorboard: true });
    for (const event of [start(0), loss(10), loss(20)]) sink.record(event);
    isDiskFull = true;
    for (let step = 30; step <= 100; step += 10) sink.record(loss(step));
    isDiskFull = false;
    sink.record(loss(110));
    sink.record(END);
    await sink.close();
    expect(messages.filter((message) => message.startsWith("warning"))).toEqual([
      `warning: ${join(folder(), "run-abc12345.wandb")}: cannot be written (ENOSPC: no space left on device, write). ` +
        "The folder for `wandb sync` gets nothing more of this run; records.jsonl has it all",
      expect.stringMatching(
        /^warning: .*\/events\.out\.\S+: cannot be written \(ENOSPC.*\)\. TensorBoard gets nothing more of this run; records\.jsonl has it all$/,
      ),
    ]);
    expect(stepsInFile()).toEqual([10]);
  });

  it("a run that is sent is still sent", async () => {
    await using server = await MockWandb.start();
    isDiskFull = true;
    await log(online(server), start(0), loss(10), loss(20), END);
    expect(stepsOf(server.run("abc12345")!.rows)).toEqual([10, 20]);
  });
});
