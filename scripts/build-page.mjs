// Builds the report's page into dist/report/page.html, unless it is up to date. Node built-ins only, beside the tools it starts.
// Run by itself it builds the page and prints where it is.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot } from "./build-bridge.mjs";
import { SetupError } from "./libtorch.mjs";
import { runProgram } from "./run-program.mjs";

/** What the page is made of: its own sources and the types that it imports, which are checked with it. */
const SOURCES = ["page", "src/report", "src/compare", "src/rollout", "src/eval"];

function hashOfSources() {
  const hash = createHash("sha256").update(readFileSync(join(projectRoot, "package-lock.json")));
  for (const source of SOURCES) {
    const names = readdirSync(join(projectRoot, source), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    for (const name of names) hash.update(name.slice(projectRoot.length)).update("\0").update(readFileSync(name));
  }
  return hash.digest("hex");
}

async function run(packageFile, args, what) {
  try {
    await runProgram(process.execPath, [join(projectRoot, "node_modules", packageFile), ...args], { cwd: projectRoot });
  } catch (error) {
    throw new SetupError(`${what} failed:\n${error.message}`);
  }
}

/**
 * Makes sure that the page is built from the present sources.
 * @returns {Promise<string>} its path
 */
export async function buildPage(log) {
  const page = join(projectRoot, "dist", "report", "page.html");
  const stamp = join(projectRoot, "build", "page.sha256");
  const hash = hashOfSources();
  if (existsSync(page) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return page;
  log("building the report's page");
  await run("typescript/bin/tsc", ["--noEmit", "-p", "page/tsconfig.json"], "checking the types of the report's page");
  await run("vite/bin/vite.js", ["build", "--config", "page/vite.config.ts"], "building the report's page");
  mkdirSync(dirname(page), { recursive: true });
  renameSync(join(projectRoot, "build", "page", "index.html"), page);
  writeFileSync(stamp, hash);
  return page;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await buildPage((message) => console.error(message)));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`set-up: ${error.message}`);
    process.exitCode = 1;
  }
}
