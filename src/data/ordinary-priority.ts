import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Where the scheduling policy stands in `/proc/<task>/stat`, counted from the field after the name in brackets (proc(5)). */
const POLICY_FIELD = 38;

/**
 * Takes back the real-time priority that SVT-AV1 gives to whoever opens it, if it may (Linux, root): such a thread, and
 * everything that is started from it, would hold its core against all others, its own helpers included.
 *
 * Does nothing where no such priority was given. Without the program `chrt` (util-linux) it stays.
 */
export function restoreOrdinaryPriority(): void {
  if (process.platform !== "linux" || !isRealTime()) return;
  spawnSync("chrt", ["--all-tasks", "--other", "--pid", "0", String(process.pid)], { stdio: "ignore" });
}

/** Whether the calling thread has a policy other than the ordinary one. */
export function isRealTime(): boolean {
  try {
    const text = readFileSync("/proc/thread-self/stat", "latin1");
    const policy = text.slice(text.lastIndexOf(")") + 2).split(" ")[POLICY_FIELD];
    return policy === "1" || policy === "2"; // first in first out, round robin
  } catch {
    return false;
  }
}
