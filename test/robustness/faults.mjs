// Lets a command meet a full disk, or a call that fails, at chosen moments of its writing.
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { killAtCall } from "./kill.mjs";
import { randomOf } from "./random.mjs";
import { countCalls, runProgram } from "./run-program.mjs";

/**
 * @typedef {object} Faults
 * @property {string} name
 * @property {number} injected
 * @property {number} named commands that ended with an error which names the failure and its place
 * @property {number} endured commands that ended well and whole all the same, as where only tidying up had failed
 * @property {readonly string[]} failures what went wrong, with how it can be seen again
 */

/**
 * What is wrong with how a command met a failure; undefined for nothing.
 *
 * @param {import("./run-program.mjs").Ended} ended
 * @param {string} root
 */
function complaint({ code, signal, err, isTimeout }, root) {
  if (isTimeout) return "no end";
  if (code !== 1) return `ended with ${signal ?? code}: ${err.slice(-800)}`;
  const message = err.trimEnd().split("\n").slice(-3).join("\n");
  if (/internal:|\n {4}at /.test(err)) return `no error of ours: ${err.slice(-1200)}`;
  if (!/ENOSPC|EIO|no space|I\/O error/i.test(message)) return `an error without its cause: ${message}`;
  return message.includes(root) ? undefined : `an error without its place: ${message}`;
}

/** Whoever cannot tidy up may leave what was to be removed. */
const TIDIES = /^(rm|rmdir|unlink)$/;

/** @param {string} folder */
function cleanUp(folder) {
  for (const place of [dirname(folder), folder].filter((path) => existsSync(path))) {
    const left = readdirSync(place).filter((name) => /\.tmp$|\.recording$|^\..*lock$/.test(name));
    for (const name of left) rmSync(join(place, name), { recursive: true, force: true });
  }
}

/**
 * @param {import("./killed-commands.mjs").KilledCommand} command
 * @param {{ faults: number, seed: number, root: string, log?: (text: string) => void }} options
 * @returns {Promise<Faults>}
 */
export async function failCommand(command, { faults, seed, root, log = () => {} }) {
  const parent = join(root, `${command.name.replaceAll(" ", "-")}-faults`);
  mkdirSync(parent, { recursive: true });
  const place = (/** @type {string | number} */ name) => {
    const own = join(parent, String(name));
    mkdirSync(own);
    command.before?.(join(own, "out"));
    return join(own, "out");
  };
  const unbroken = place("unbroken");
  const { calls } = await countCalls(command.args(unbroken), join(parent, "calls.json"));
  const wanted = await command.resultOf(unbroken);
  const result = { name: command.name, injected: 0, named: 0, endured: 0, failures: [] };
  for (let i = 0; i < faults; i++) {
    const random = randomOf(seed, command.name, "fault", i);
    const { at } = killAtCall(calls, random);
    /** @type {import("./fault-at-call.mjs").Fault} */
    const fault = { kind: random.pick(["full", "broken"]), at };
    const folder = place(i);
    const ended = await runProgram(command.args(folder), { fault });
    result.injected++;
    let problem = ended.code === 0 ? undefined : complaint(ended, parent);
    if (problem === undefined) {
      try {
        await command.expectReadable(folder);
        if (ended.code !== 0) {
          const again = await runProgram(command.argsAfterKill(folder));
          if (again.code !== 0) throw new Error(`cannot go on: ${again.err.slice(-800)}`);
        }
        if (ended.code === 0 && TIDIES.test(calls[at])) cleanUp(folder);
        if ((await command.resultOf(folder)) !== wanted) throw new Error("another result than that of an unbroken run");
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    if (problem !== undefined) {
      result.failures.push(
        `seed ${seed}, ${command.name}, fault ${i} (${fault.kind} at ${calls[at]} ${at}): ${problem}`,
      );
    } else if (ended.code === 0) result.endured++;
    else result.named++;
    log(`${command.name}: ${result.injected} of ${faults} faults, ${result.failures.length} failures`);
    rmSync(join(parent, String(i)), { recursive: true, force: true });
  }
  return result;
}
