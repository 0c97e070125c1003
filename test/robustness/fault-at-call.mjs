// Makes this process's calls that change files fail, or end the process, at a chosen one of them. Loaded by `--import` with
// REFLOW_FAULT (JSON, see `Fault`), or armed by a test in its own process. What FFmpeg writes is out of reach.

// Makes this process's calls that change files fail, or end the process, at a chosen one of them. Loaded by `--import` with
// REFLOW_FAULT (JSON, see `Fault`), or armed by a test in its own process. What FFmpeg writes is out of reach.
import fs, { closeSync, openSync, writeSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

/**
 * @typedef {object} Fault
 * @property {"kill" | "full" | "broken" | "count"} kind `kill`: SIGKILL at the call. `full`: from the call on, nothing that takes
 *   space succeeds. `broken`: this one call fails with EIO. `count`: nothing happens
 * @property {number} at which call, counted from 0
 * @property {"before" | "torn" | "after"} [moment] of a kill: before the call, after half of what is written, or after it
 * @property {string} [report] file that gets the number of calls and their names when the process exits
 */

/** @type {Fault | undefined} */
let armed;
let numCalls = 0;
/** @type {string[]} */
let names = [];

/** @param {Fault | undefined} fault what happens from now on; undefined for nothing any more */
export async function armFault(fault) {
  await patch();
  armed = fault;
  numCalls = 0;
  names = [];
}

/** What was called since it was armed. */
export const callsSoFar = () => names;

const TAKES_SPACE = new Set(["open", "write", "mkdir", "symlink", "link", "copyFile"]);
const CODES = { ENOSPC: "no space left on device", EIO: "i/o error" };

/** @param {keyof typeof CODES} code @param {string} syscall */
const failure = (code, syscall) => Object.assign(new Error(`${code}: ${CODES[code]}, ${syscall}`), { code, syscall });

const killSelf = () => process.kill(process.pid, "SIGKILL");

/**
 * Decides about one call.
 * @param {string} name
 * @returns {{ error?: Error, isTorn?: boolean, killAfter?: boolean }}
 */
function decide(name) {
  if (armed === undefined) return {};
  const call = numCalls++;
  names.push(name);
  const { kind, at, moment } = armed;
  if (kind === "full" && call >= at && TAKES_SPACE.has(name)) {
    return { error: failure("ENOSPC", name), isTorn: call === at && name === "write" };
  }
  if (call !== at) return {};
  if (kind === "broken") return { error: failure("EIO", name) };
  if (kind !== "kill") return {};
  if (moment === "before") killSelf();
  return { isTorn: moment === "torn" && (name === "write" || name === "rm"), killAfter: true };
}

const isForWriting = (/** @type {unknown} */ flags) =>
  typeof flags === "string" ? /[wa+]/.test(flags) : typeof flags === "number" && (flags & 3) !== 0;

/** @param {any} target @param {string} method @param {string} name @param {(args: any[]) => boolean} applies */
function wrapAsync(target, method, name, applies = () => true) {
  const original = target[method];
  target[method] = async function (/** @type {any[]} */ ...args) {
    if (!applies(args)) return original.apply(this, args);
    const { error, isTorn, killAfter } = decide(name);
    if (isTorn) await (name === "rm" ? removeHalf(args[0], original) : original.call(this, ...halfOf(args)));
    if (error) throw error;
    if (isTorn) killSelf();
    const result = await original.apply(this, args);
    if (killAfter) killSelf();
    return result;
  };
}

/** @param {any} target @param {string} method @param {string} name @param {(args: any[]) => boolean} applies */
function wrapSync(target, method, name, applies = () => true) {
  const original = target[method];
  target[method] = function (/** @type {any[]} */ ...args) {
    if (!applies(args)) return original.apply(this, args);
    const { error, killAfter } = decide(name);
    if (error) throw error;
    const result = original.apply(this, args);
    if (killAfter) killSelf();
    return result;
  };
}

/** What a process that is killed while it deletes a folder leaves of it. */
async function removeHalf(/** @type {string} */ path, /** @type {typeof promises.rm} */ remove) {
  if (!fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const entries = await promises.readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
  for (const file of files.slice(0, Math.ceil(files.length / 2))) await remove(file);
}

/** The arguments of `write(buffer, offset, length)` for the first half of the bytes. @param {any[]} args */
function halfOf([buffer, offset = 0, length = buffer.byteLength - offset]) {
  return [buffer, offset, Math.floor(length / 2)];
}

/** @type {Promise<void> | undefined} */
let patched;

function patch() {
  patched ??= patchAll();
  return patched;
}

async function patchAll() {
  // All file handles have one prototype, which is reached through any of them.
  const handle = await promises.open("/dev/null", "r");
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  wrapAsync(prototype, "write", "write");
  wrapAsync(prototype, "sync", "sync");
  wrapAsync(promises, "open", "open", ([, flags]) => isForWriting(flags));
  for (const name of ["rename", "symlink", "mkdir", "rm", "rmdir", "unlink", "copyFile", "link"]) {
    wrapAsync(promises, name, name);
  }
  for (const [method, name] of [
    ["writeSync", "write"],
    ["writeFileSync", "write"],
    ["fsyncSync", "sync"],
    ["mkdirSync", "mkdir"],
    ["renameSync", "rename"],
    ["linkSync", "link"],
    ["symlinkSync", "symlink"],
    ["rmSync", "rm"],
    ["unlinkSync", "unlink"],
  ]) {
    wrapSync(fs, method, name);
  }
  wrapSync(fs, "openSync", "open", ([, flags]) => isForWriting(flags));
  syncBuiltinESMExports();
}

if (isMainThread && process.env.REFLOW_FAULT !== undefined) {
  /** @type {Fault} */
  const fault = JSON.parse(process.env.REFLOW_FAULT);
  await patch();
  armed = fault;
  if (fault.report !== undefined) {
    const file = fault.report;
    process.on("exit", () => {
      const all = names;
      armed = undefined;
      const descriptor = openSync(file, "w");
      writeSync(descriptor, JSON.stringify(all));
      closeSync(descriptor);
    });
  }
}
