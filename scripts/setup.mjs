// All set-up on a fresh machine: packages, libtorch, bridge, compiled TypeScript, the report's page. What is up to date is left alone.
// Node built-ins only: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBridge, projectRoot } from "./build-bridge.mjs";
import { buildPage } from "./build-page.mjs";
import { SetupError } from "./libtorch.mjs";

const log = (message) => console.error(`set-up: ${message}`);

function run(command, args, what) {
  const result = spawnSync(command, args, {
    cwd: projectRoot,
    encoding: "utf8",
    env: { ...process.env, SKIP_FFMPEG: "true" },
  });
  if (result.error) throw new SetupError(`${what}: ${command} cannot be started (${result.error.message})`);
  if (result.status !== 0) throw new SetupError(`${what} failed:\n${result.stdout}${result.stderr}`);
}

function installPackages() {
  const lock = createHash("sha256")
    .update(readFileSync(join(projectRoot, "package-lock.json")))
    .digest("hex");
  const stamp = join(projectRoot, "node_modules", ".installed-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  log("installing packages");
  // No install script is needed: the one package that has any only looks for an optional program.
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci");
  writeFileSync(stamp, lock);
}

const [major, minor] = process.versions.node.split(".").map(Number);
try {
  if (major < 20 || (major === 20 && minor < 19))
    throw new SetupError(`expected Node 20.19 or newer, got ${process.versions.node}`);
  installPackages();
  await buildBridge(log);
  run(
    process.execPath,
    [join(projectRoot, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"],
    "compiling TypeScript",
  );
  buildPage(log);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
}
