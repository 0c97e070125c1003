// Kills a command again and again, at random moments, and lets it go on after each, to the end.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { randomOf } from "./random.mjs";
import { countCalls, runProgram } from "./run-program.mjs";

/** After so many kills of one run it is let go to its end, which must be that of one that was never killed. */
const MOST_KILLS_OF_A_RUN = 5;

/**
 * @typedef {object} Kills
 * @property {string} name
 * @property {number} tried
 * @property {number} survived kills after which all that was there could be read and whose run ended as an unbroken one
 * @property {number} atCalls kills in the middle of writing: at a call that changes files
 * @property {number} runs that went to their end after kills
 * @property {readonly string[]} failures what went wrong, with how it can be seen again
 */

/**
 * One call in the middle of writing, every kind of call as likely as the long rows of writes.
 *
 * @param {readonly string[]} calls
 * @param {ReturnType<typeof randomOf>} random
 * @returns {import("./fault-at-call.mjs").Fault}
 */
export function killAtCall(calls, random) {
  const rows = [];
  for (const [at, name] of calls.entries()) {
    if (calls[at - 1] === name) rows.at(-1).push(at);
    else rows.push([at]);
  }
  return { kind: "kill", at: random.pick(random.pick(rows)), moment: random.pick(["before", "torn", "after"]) };
}

/**
 * @param {import("./killed-commands.mjs").KilledCommand} command
 * @param {{ kills: number, seed: number, root: string, log?: (text: string) => void }} options
 * @returns {Promise<Kills>}
 */
export async function killCommand(command, { kills, seed, root, log = () => {} }) {
  const parent = join(root, command.name.replaceAll(" ", "-"));
  mkdirSync(parent, { recursive: true });
  const place = (/** @type {string | number} */ name) => {
    const own = join(parent, String(name));
    mkdirSync(own);
    command.before?.(join(own, "out"));
    return join(own, "out");
  };
  const unbroken = place("unbroken");
  const { calls, ended } = await countCalls(command.args(unbroken), join(parent, "calls.json"));
  const wanted = await command.resultOf(unbroken);
  let { seconds } = ended;
  const result = { name: command.name, tried: 0, survived: 0, atCalls: 0, runs: 0, failures: [] };
  for (let run = 0; result.tried < kills; run++) {
    const random = randomOf(seed, command.name, run);
    const folder = place(run);
    const history = [];
    const fail = (/** @type {unknown} */ problem) => {
      const text = problem instanceof Error ? problem.message : String(problem);
      result.failures.push(`seed ${seed}, ${command.name}, run ${run}, after ${history.join("; ")}: ${text}`);
    };
    let numKills = 0;
    let isFailed = false;
    for (let attempt = 0; !isFailed; attempt++) {
      const args = attempt === 0 ? command.args(folder) : command.argsAfterKill(folder);
      const isLast = result.tried >= kills || numKills >= MOST_KILLS_OF_A_RUN;
      const isAtCall = random.below(2) === 0;
      const fault = isAtCall ? killAtCall(calls, random) : undefined;
      const killAfterSeconds = isAtCall ? undefined : random.fraction() * seconds;
      const done = await runProgram(args, isLast ? {} : { fault, killAfterSeconds });
      if (done.isTimeout) {
        fail(`no end within ${done.seconds.toFixed(0)} s\n${done.err.slice(-500)}`);
        break;
      }
      if (done.signal === "SIGKILL") {
        history.push(fault ? `${calls[fault.at]} ${fault.at} ${fault.moment}` : `${killAfterSeconds.toFixed(2)} s`);
        numKills++;
        result.tried++;
        if (isAtCall) result.atCalls++;
        try {
          await command.expectReadable(folder);
        } catch (error) {
          fail(error);
          isFailed = true;
        }
        continue;
      }
      if (done.code !== 0) {
        fail(`exit ${done.code}, signal ${done.signal}: ${done.err.slice(-1500)}`);
        break;
      }
      if (attempt === 0) {
        seconds = done.seconds; // it was faster than thought
        if (numKills === 0) history.push("no kill");
      }
      try {
        const result = await command.resultOf(folder);
        if (result !== wanted) throw new Error("another result than that of an unbroken run");
      } catch (error) {
        fail(error);
        break;
      }
      if (numKills > 0) result.runs++;
      result.survived += numKills;
      break;
    }
    log(`${command.name}: ${result.tried} of ${kills} kills, ${result.failures.length} failures`);
    if (result.failures.length === 0) rmSync(join(parent, String(run)), { recursive: true, force: true });
    if (result.failures.length >= 3) break;
  }
  return result;
}
