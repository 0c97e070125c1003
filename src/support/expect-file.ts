import { statSync } from "node:fs";

/**
 * Refuses what cannot be read to an end, before it is opened: a pipe waits for a writer who may never come, a device may go
 * on forever. A pipe that is open already, as the shell's `<(command)` is, may be read. A folder, or nothing at all, is left
 * to the call that reads, whose error says so.
 *
 * @throws Error saying what there is instead of a file
 */
export function expectFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  if (!found.isFIFO()) throw new Error(`expected a file, got a ${found.isSocket() ? "socket" : "device"}`);
  if (!/^\/(dev|proc)\//.test(path)) throw new Error("expected a file, got a pipe");
}
