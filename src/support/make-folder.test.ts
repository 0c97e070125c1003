import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { makeFolder } from "./make-folder.js";

it("makes what is missing, also of two callers at once, and leaves what is there", async () => {
  const root = mkdtempSync(join(tmpdir(), "reflow-folder-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const folder = join(root, "a", "b", "c");
  await Promise.all([makeFolder(folder), makeFolder(join(root, "a", "b", "d"))]);
  await makeFolder(folder);
  expect(statSync(folder).isDirectory() && existsSync(join(root, "a", "b", "d"))).toBe(true);
  writeFileSync(join(root, "file"), "");
  await expect(makeFolder(join(root, "file"))).rejects.toThrow("EEXIST");
  await expect(makeFolder(join(root, "file", "folder"))).rejects.toThrow("ENOTDIR");
});

it.runIf(existsSync("/proc/self"))(
  "fails where a system has no place for folders, in place of waiting for ever",
  async () => {
    await expect(makeFolder("/proc/nobody/folder")).rejects.toThrow("ENOENT");
  },
);
