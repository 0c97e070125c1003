// `reflow` in a process of its own, with limits on memory and time, and with faults at chosen calls.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const PROJECT = join(import.meta.dirname, "..", "..");
const PROGRAM = join(PROJECT, "dist", "cli", "main.js");
const PRELOAD = join(import.meta.dirname, "fault-at-call.mjs");

/** Kibibytes of data: no process of these tests may take more, whatever it is given. */
export const MEMORY_LIMIT_KIB = 4_000_000;

/**
 * Starts Node under the limit of memory.
 *
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 */
export function spawnLimited(args, { env, cwd = PROJECT } = {}) {
  return spawn("sh", ["-c", `ulimit -c 0; ulimit -d ${MEMORY_LIMIT_KIB}; exec "$0" "$@"`, process.execPath, ...args], {
    cwd,
    env: { ...process.env, OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1", SVT_LOG: "0", REFLOW_DEBUG: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/**
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {string | null} signal
 * @property {string} out
 * @property {string} err
 * @property {number} seconds
 * @property {boolean} isTimeout
 */

/**
 * Runs a command to its end, or to the moment at which it is killed.
 *
 * @param {readonly string[]} args
 * @param {{ fault?: import("./fault-at-call.mjs").Fault, killAfterSeconds?: number, timeoutSeconds?: number, env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<Ended>}
 */
export function runProgram(args, { fault, killAfterSeconds, timeoutSeconds = 120, env, cwd } = {}) {
  const began = performance.now();
  const preload = fault === undefined ? [] : ["--import", PRELOAD];
  const faultEnv = fault === undefined ? {} : { REFLOW_FAULT: JSON.stringify(fault) };
  const child = spawnLimited([...preload, PROGRAM, ...args], { cwd, env: { ...env, ...faultEnv } });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  let isTimeout = false;
  const killer =
    killAfterSeconds === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterSeconds * 1000);
  const limit = setTimeout(() => {
    isTimeout = true;
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      clearTimeout(killer);
      clearTimeout(limit);
      done({ code, signal, out, err, seconds: (performance.now() - began) / 1000, isTimeout });
    });
  });
}

/**
 * Names of the calls that change files which a command makes from its beginning to its end.
 *
 * @param {readonly string[]} args
 * @param {string} report a file for the purpose
 * @returns {Promise<{ calls: readonly string[], ended: Ended }>}
 */
export async function countCalls(args, report) {
  const ended = await runProgram(args, { fault: { kind: "count", at: 0, report } });
  if (ended.code !== 0) throw new Error(`reflow ${args.join(" ")} ended with ${ended.code}:\n${ended.err}`);
  return { calls: JSON.parse(readFileSync(report, "utf8")), ended };
}
