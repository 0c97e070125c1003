import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";

const project = join(import.meta.dirname, "../..");

/** `src/torch` as plain JavaScript, for the processes and worker threads that the test runner does not compile for. */
export interface CompiledTorch {
  /** What to import it from. */
  readonly url: string;
  /** Runs JavaScript in which `torch` is the compiled folder, in a Node process of its own; gives what it prints. */
  readonly run: (script: string, ...nodeFlags: readonly string[]) => Promise<string>;
  /** The path of a script like that, for a worker thread. */
  readonly script: (name: string, script: string) => string;
  readonly remove: () => void;
}

/** Compiles the folder, and `src/support` which it needs, beside a link to the bridge that is built. */
export function compileTorch(): CompiledTorch {
  const root = mkdtempSync(join(tmpdir(), "compiled-torch-"));
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  for (const name of ["build", "node_modules"]) symlinkSync(join(project, name), join(root, name));
  for (const folder of ["torch", "support"]) {
    for (const file of readdirSync(join(project, "src", folder), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
      const output = join(root, "dist", folder, file.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(output), { recursive: true });
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
      const text = readFileSync(join(project, "src", folder, file), "utf8");
      writeFileSync(output, ts.transpileModule(text, { compilerOptions: options }).outputText);
    }
  }
  const url = pathToFileURL(join(root, "dist", "torch", "index.js")).href;
  const script = (name: string, body: string): string => {
    const path = join(root, `${name}.mjs`);
    writeFileSync(path, `import * as torch from ${JSON.stringify(url)};\n${body}`);
    return path;
  };
  let numScripts = 0;
  return {
    url,
    script,
    run: async (body, ...nodeFlags) => {
      const path = script(`script-${numScripts++}`, body);
      const { stdout } = await promisify(execFile)(process.execPath, [...nodeFlags, path], { maxBuffer: 2 ** 26 });
      return stdout.trim();
    },
    remove: () => rmSync(root, { recursive: true }),
  };
}
