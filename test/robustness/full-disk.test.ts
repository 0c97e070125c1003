/** A disk that is full, or fails, at every call with which a run that is continued writes something. */
import { cpSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { lastCheckpoint, RUNS, resultOf, temporaryFolder, train, trainIn, tryTraining } from "../runs/training-run.js";
import { armFault, callsSoFar } from "./fault-at-call.mjs";

vi.setConfig({ testTimeout: 600_000 });

/** Every call, but of a long row of the same the first, the middle one and the last. */
function placesOf(calls: readonly string[]): number[] {
  const rows: number[][] = [];
  for (const [at, name] of calls.entries()) {
    if (calls[at - 1] === name) rows.at(-1)!.push(at);
    else rows.push([at]);
  }
  return rows.flatMap((row) => [...new Set([row[0]!, row[row.length >> 1]!, row.at(-1)!])]);
}

const namesIn = (run: string, ending: string): string[] =>
  [run, join(run, "checkpoints")].flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith(ending)));

const isLinked = (run: string): boolean => readlinkSync(lastCheckpoint(run)) === "000002";

it.each(["full", "broken"] as const)(
  "the checkpoint before is whole, the error names place and cause, and the run goes on: a disk that is %s",
  async (kind) => {
    const flags = [...RUNS["flow matching"], "--log_freq=0"];
    const begun = await train(...flags, "--steps=1");
    const before = resultOf(begun);
    const root = temporaryFolder();
    const resumed = async (at: number): Promise<{ code: number | null; err: string; run: string }> => {
      const run = join(root, String(at));
      cpSync(begun, run, { recursive: true, verbatimSymlinks: true });
      await armFault(at < 0 ? { kind: "count", at: 0 } : { kind, at });
      try {
        return { ...(await tryTraining(run, "--resume=true", "--steps=2")), run };
      } finally {
        if (at >= 0) await armFault(undefined);
      }
    };
    const unbroken = await resumed(-1);
    const calls = callsSoFar();
    await armFault(undefined);
    expect(unbroken.code).toBe(0);
    const wanted = resultOf(unbroken.run);
    const places = placesOf(calls);
    expect(places.length).toBeGreaterThan(40);
    let numNamed = 0;
    for (const at of places) {
      const { code, err, run } = await resumed(at);
      const what = `${kind} at ${calls[at]} ${at}`;
      if (code === 0) expect(resultOf(run).equals(wanted), what).toBe(true);
      else {
        const message = err.trimEnd().split("\n").at(-1);
        expect(message, what).toMatch(/ENOSPC|EIO/);
        expect(message, what).toContain(run);
        expect(err, what).not.toMatch(/internal:|\n {4}at /);
        expect(namesIn(run, ".tmp"), what).toEqual([]);
        const policy = await SmolVLAPolicy.load(join(lastCheckpoint(run), "pretrained_model"));
        policy.dispose();
        // The new one, if only what makes its link durable has failed.
        expect(resultOf(run).equals(isLinked(run) ? wanted : before), what).toBe(true);
        numNamed++;
        if (numNamed % 5 === 0) {
          await trainIn(run, "--resume=true", "--steps=2");
          expect(resultOf(run).equals(wanted), what).toBe(true);
        }
      }
      rmSync(run, { recursive: true });
    }
    expect(numNamed).toBeGreaterThan(places.length / 2);
  },
);
