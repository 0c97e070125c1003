// Tries to lock a folder at a given moment, says whether it could, and holds it for a while. Arguments: folder, moment in ms.
import { setTimeout as sleep } from "node:timers/promises";
import { lockFolder } from "../../dist/support/folder-lock.js";

const [folder, moment] = process.argv.slice(2);
while (Date.now() < Number(moment));
try {
  const release = lockFolder(folder, { command: "test", activity: "in", option: "folder", kind: "test" });
  process.stdout.write("locked");
  await sleep(1500);
  release();
} catch (error) {
  process.stdout.write(error.message);
}
