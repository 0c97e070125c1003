import { createContext, Script } from "node:vm";

const CALL = new Script("work()");
const context = createContext({ work: undefined });

/**
 * Does work that a regular expression of somebody else's making may hold up for longer than anybody waits: there are some
 * that take twice as long for each further letter.
 *
 * @throws Error if it is not done in time; what the work throws passes
 */
export function withTimeLimit<T>(limitMs: number, work: () => T): T {
  const outer: unknown = context.work;
  context.work = work;
  try {
    return CALL.runInContext(context, { timeout: limitMs }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new Error(`it takes more than ${limitMs / 1000} s`);
  } finally {
    context.work = outer;
  }
}
