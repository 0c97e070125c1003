import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";

const SOURCE = join(import.meta.dirname, "../..");
const FOLDERS = ["data", "support"] as const;

/**
 * Compiles the sources that datasets need to plain JavaScript, for tests that start processes or threads of their own:
 * Node loads no TypeScript there.
 *
 * @returns the folder with `data/index.js`, and a function that removes it
 */
export async function compileForNode(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "reflow-data-"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await symlink(join(SOURCE, "../node_modules"), join(folder, "node_modules"));
  for (const name of FOLDERS) {
    const files = await readdir(join(SOURCE, name), { recursive: true });
    for (const file of files.filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts") && !f.startsWith("testing"))) {
      await mkdir(dirname(join(folder, name, file)), { recursive: true });
      const { outputText } = ts.transpileModule(await readFile(join(SOURCE, name, file), "utf8"), {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
      });
      await writeFile(join(folder, name, file.replace(/\.ts$/, ".js")), outputText);
    }
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
