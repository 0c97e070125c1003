// All set-up on a fresh machine: packages, libtorch, bridge, compiled TypeScript, the report's page. What is up to date is left alone.
// Node built-ins only: it runs before anything is installed.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBridge, projectRoot } from "./build-bridge.mjs";
import { buildPage } from "./build-page.mjs";
import { SetupError } from "./libtorch.mjs";
import { runProgram } from "./run-program.mjs";

const log = (message) => console.error(`set-up: ${message}`);

async function run(command, args, what) {
  try {
    await runProgram(command, args, { cwd: projectRoot, env: { ...process.env, SKIP_FFMPEG: "true" } });
  } catch (error) {
    throw new SetupError(`${what} failed:\n${error.message}`);
  }
}

async function installPackages() {
  const lock = createHash("sha256")
    .update(readFileSync(join(projectRoot, "package-lock.json")))
    .digest("hex");
  const stamp = join(projectRoot, "node_modules", ".installed-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  log("installing packages");
  // No install script is needed: the one package that has any only looks for an optional program.
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci");
  writeFileSync(stamp, lock);
}

async function buildProgram() {
  const compiler = join(projectRoot, "node_modules", "typescript", "bin", "tsc");
  await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], "compiling TypeScript");
  await buildPage(log);
}

const [major, minor] = process.versions.node.split(".").map(Number);
try {
  if (major < 20 || (major === 20 && minor < 19))
    throw new SetupError(`expected Node 20.19 or newer, got ${process.versions.node}`);
  // Side by side, to the end of each: what takes long is the download of torch, and the compiler.
  const packages = installPackages();
  const ended = await Promise.allSettled([buildBridge(log, packages), packages.then(buildProgram)]);
  for (const { reason } of ended) if (reason !== undefined) throw reason;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
}
