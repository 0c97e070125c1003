// Tries to lock a folder at a moment (ms) that it is told on standard input once it is ready, says whether it could, and holds
// the lock until standard input ends. Argument: folder.
import { createInterface } from "node:readline";
import { lockFolder } from "../../dist/support/folder-lock.js";

process.stdout.write("ready\n");
let release;
for await (const moment of createInterface({ input: process.stdin })) {
  while (Date.now() < Number(moment));
  try {
    release = lockFolder(process.argv[2], { command: "test", activity: "in", option: "folder", kind: "test" });
    process.stdout.write("locked\n");
  } catch (error) {
    process.stdout.write(`${error.message}\n`);
  }
}
release?.();
