import { afterEach, beforeEach, expect, it } from "vitest";
import type { MetricsRow } from "./metrics-row.js";
import { RunUploader, type UploadEvent, type UploadPlan, type UploadTiming } from "./run-uploader.js";
import { MockWandb, stepsOf } from "./testing/mock-wandb.js";

const KEY = "0123456789abcdef0123456789abcdef01234567";
const TIMING: UploadTiming = {
  ...{ gatherMs: 5, heartbeatMs: 20, requestTimeoutMs: 200, minRetryMs: 5, maxRetryMs: 20, maxRows: 50 },
};

let server: MockWandb;
let events: UploadEvent[];
beforeEach(async () => {
  server = await MockWandb.start();
  events = [];
});
afterEach(() => server[Symbol.asyncDispose]());

function upload(changes: Partial<UploadPlan> = {}): RunUploader {
  const run = {
    ...{ runId: "abc123", project: "pusht", entity: undefined, displayName: "straight", notes: undefined },
    ...{ tags: ["seed:1"], host: "robot" },
  };
  const plan: UploadPlan = {
    ...{ server: { baseUrl: server.url, apiKey: KEY }, run, config: { batch_size: 8 } },
    ...{ isContinued: false, timing: TIMING, ...changes },
  };
  return new RunUploader(plan, (event) => events.push(event));
}

const row = (step: number, metrics: Readonly<Record<string, number>> = { "train/loss": 1 / step }): MetricsRow => ({
  ...{ step, metrics, runtimeS: step / 2, timeS: 1_754_193_909 },
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2));
}

it("sends description, rows, summary and end, with the key as basic authorization", async () => {
  const uploader = upload();
  uploader.add(row(10, { "train/loss": 0.5, "train/loss_at_time/0.9-1.0": Number.NaN }));
  uploader.add(row(20, { "train/loss": Number.POSITIVE_INFINITY }));
  expect(await uploader.close(0, 2_000)).toBe(true);
  const run = server.run("abc123")!;
  expect(run.upserts).toMatchObject([
    { project: "pusht", displayName: "straight", tags: ["seed:1"], jobType: "train_eval" },
  ]);
  expect(JSON.parse(run.upserts[0]!.config as string)).toEqual({ batch_size: { value: 8 } });
  expect(run.rows).toEqual([
    '{"train/loss":0.5,"train/loss_at_time/0.9-1.0":NaN,"_step":10,"_runtime":5,"_timestamp":1754193909}',
    '{"train/loss":Infinity,"_step":20,"_runtime":10,"_timestamp":1754193909}',
  ]);
  expect(run.summary).toBe(
    '{"train/loss":Infinity,"train/loss_at_time/0.9-1.0":NaN,"_step":20,"_runtime":10,"_timestamp":1754193909,"_wandb":{"runtime":10}}',
  );
  expect(run.exitCode).toBe(0);
  expect([...server.authorizations]).toEqual([`Basic ${Buffer.from(`api:${KEY}`).toString("base64")}`]);
  expect(events).toEqual([{ kind: "connected", page: `${server.url}/somebody/pusht/runs/abc123` }]);
});

it("sends rows while the run goes on, and shows that it lives when there are none", async () => {
  const uploader = upload();
  uploader.add(row(1));
  await until(() => server.run("abc123")?.rows.length === 1);
  const numRequests = server.numRequests;
  await until(() => server.numRequests >= numRequests + 3);
  expect(server.run("abc123")).toMatchObject({ exitCode: undefined });
  expect(await uploader.close(0, 2_000)).toBe(true);
});

it("tries again while the server fails, says so once, and loses nothing", async () => {
  server.behaviour = { status: 503, text: "down for maintenance" };
  const uploader = upload();
  for (const step of range(1, 20)) uploader.add(row(step));
  await until(() => server.numRequests >= 4);
  server.behaviour = "ok";
  await until(() => server.run("abc123")?.rows.length === 20);
  server.behaviour = { status: 500, text: "again" };
  uploader.add(row(21));
  const numRequests = server.numRequests;
  await until(() => server.numRequests >= numRequests + 3);
  server.behaviour = "ok";
  expect(await uploader.close(0, 2_000)).toBe(true);
  expect(stepsOf(server.run("abc123")!.rows)).toEqual(range(1, 21));
  expect(events.filter(({ kind }) => kind === "trouble")).toEqual([
    { kind: "trouble", message: `${server.url} answers with status 503 (down for maintenance)`, isFinal: false },
  ]);
});

it("repeats a request whose answer never came without doubling its rows", async () => {
  const uploader = upload();
  await until(() => server.run("abc123") !== undefined);
  uploader.add(row(1));
  await until(() => server.run("abc123")!.rows.length === 1);
  server.behaviour = "hang";
  uploader.add(row(2));
  await until(() => events.some(({ kind }) => kind === "trouble"));
  server.behaviour = "ok";
  uploader.add(row(3));
  expect(await uploader.close(0, 2_000)).toBe(true);
  expect(stepsOf(server.run("abc123")!.rows)).toEqual([1, 2, 3]);
});

it("gives up at once when it is refused", async () => {
  server.behaviour = { status: 401, text: JSON.stringify({ errors: [{ message: "invalid API key" }] }) };
  const uploader = upload();
  uploader.add(row(1));
  await until(() => events.length > 0);
  expect(await uploader.close(0, 60_000)).toBe(false);
  expect(events).toEqual([
    { kind: "trouble", message: `${server.url} answers with status 401 (invalid API key)`, isFinal: true },
  ]);
  expect(server.numRequests).toBe(1);
});

it("ends within its limit when the server never answers", async () => {
  server.behaviour = "hang";
  const uploader = upload({ timing: { ...TIMING, requestTimeoutMs: 60_000 } });
  uploader.add(row(1));
  const began = performance.now();
  expect(await uploader.close(0, 100)).toBe(false);
  expect(performance.now() - began).toBeLessThan(1_000);
});

it("says so when nobody listens at the address", async () => {
  await server[Symbol.asyncDispose]();
  const uploader = upload();
  expect(await uploader.close(0, 50)).toBe(false);
  expect(events).toEqual([
    { kind: "trouble", message: `${server.url} cannot be reached (ECONNREFUSED)`, isFinal: false },
  ]);
});

it("drops the oldest rows when too many wait, numbers the others without a hole, and says that some are missing", async () => {
  server.behaviour = { status: 503, text: "" };
  const uploader = upload();
  for (const step of range(1, 70)) uploader.add(row(step));
  server.behaviour = "ok";
  expect(await uploader.close(0, 2_000)).toBe(false);
  expect(stepsOf(server.run("abc123")!.rows)).toEqual(range(21, 70));
});

it("continues a run behind the rows that the server has, and leaves out those that it has already", async () => {
  const first = upload();
  first.add(row(10, { "train/loss": 1 }));
  first.add(row(20, { "eval/error": 2 }));
  await first.close(1, 2_000);
  const second = upload({ isContinued: true });
  for (const step of [10, 20, 30]) second.add(row(step, { "train/loss": 3 }));
  expect(await second.close(0, 2_000)).toBe(true);
  const run = server.run("abc123")!;
  expect(stepsOf(run.rows)).toEqual([10, 20, 30]);
  expect(JSON.parse(run.rows[0]!)).toMatchObject({ "train/loss": 1 });
  expect(JSON.parse(run.summary!)).toMatchObject({ "train/loss": 3, "eval/error": 2, _step: 30 });
  expect(run.exitCode).toBe(0);
});

it("begins a continued run anew if the server has never heard of it", async () => {
  const uploader = upload({ isContinued: true });
  uploader.add(row(30));
  expect(await uploader.close(0, 2_000)).toBe(true);
  expect(stepsOf(server.run("abc123")!.rows)).toEqual([30]);
});
