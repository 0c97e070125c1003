// Builds the native bridge with one direct compiler call, once per torch, compiler and source. Node built-ins only.
// Run by itself it builds the bridge and prints where it is.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findLibtorch, SetupError } from "./libtorch.mjs";
import { runProgram } from "./run-program.mjs";

export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

function findCompiler() {
  for (const compiler of [process.env.CXX, "g++", "clang++", "c++"]) {
    if (!compiler) continue;
    try {
      return { compiler, version: execFileSync(compiler, ["--version"], { encoding: "utf8" }).split("\n")[0] };
    } catch {
      // try the next one
    }
  }
  throw new SetupError(
    "no C++ compiler on the path. Install g++ 11 or clang 14, or newer (Debian: apt install g++; macOS: xcode-select --install), or set CXX",
  );
}

function compilerArguments(torch, output) {
  const lib = join(torch.root, "lib");
  const extension = process.platform === "darwin" ? "dylib" : "so";
  // Naming the CUDA libraries makes the loader bring them in; nothing of the CUDA toolkit is needed to build.
  const cuda = ["torch_cuda", "c10_cuda"].filter((name) => existsSync(join(lib, `lib${name}.${extension}`)));
  return [
    "-std=c++20",
    "-O2",
    "-fPIC",
    "-DNAPI_VERSION=8",
    ...(process.platform === "darwin"
      ? ["-bundle", "-undefined", "dynamic_lookup"]
      : ["-shared", "-Wl,--no-as-needed"]),
    "-I",
    join(projectRoot, "node_modules", "node-api-headers", "include"),
    "-isystem",
    join(torch.root, "include"),
    "-isystem",
    join(torch.root, "include", "torch", "csrc", "api", "include"),
    join(projectRoot, "native", "addon.cc"),
    "-o",
    output,
    `-L${lib}`,
    `-Wl,-rpath,${lib}`,
    "-ltorch",
    "-ltorch_cpu",
    "-lc10",
    ...cuda.map((name) => `-l${name}`),
  ];
}

async function compile(compiler, args) {
  try {
    await runProgram(compiler, args);
  } catch (error) {
    throw new SetupError(`${compiler} could not build the bridge:\n${error.message}`);
  }
}

/**
 * Makes sure that the bridge is built and that `build/bridge.json` names it.
 * @param packages when the packages are installed, whose headers the compiler reads; libtorch is found, or installed, meanwhile
 * @returns {Promise<{ addon: string, torchVersion: string, torchRoot: string }>}
 */
export async function buildBridge(log, packages = Promise.resolve()) {
  const torch = await findLibtorch(projectRoot, log);
  await packages;
  const { compiler, version } = findCompiler();
  const sources = readdirSync(join(projectRoot, "native"))
    .sort()
    .map((name) => readFileSync(join(projectRoot, "native", name)));
  const hash = createHash("sha256");
  for (const part of [
    torch.version,
    torch.root,
    compiler,
    version,
    process.arch,
    compilerArguments(torch, "").join(" "),
    ...sources,
  ]) {
    hash.update(part).update("\0");
  }
  const build = join(projectRoot, "build");
  const addon = join(build, `bridge-torch${torch.version.split("+")[0]}-${hash.digest("hex").slice(0, 16)}.node`);
  mkdirSync(build, { recursive: true });
  if (!existsSync(addon)) {
    log(`building the bridge to libtorch ${torch.version} with ${version}`);
    const unfinished = `${addon}.${randomBytes(4).toString("hex")}.tmp`;
    await compile(compiler, compilerArguments(torch, unfinished));
    renameSync(unfinished, addon); // a second build at the same time ends with the same file
  }
  const record = { addon, torchVersion: torch.version, torchRoot: torch.root };
  const file = join(build, "bridge.json");
  const text = `${JSON.stringify(record, null, 2)}\n`;
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
  return record;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { addon, torchVersion } = await buildBridge((message) => console.error(message));
    console.log(`libtorch ${torchVersion}: ${addon}`);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`set-up: ${error.message}`);
    process.exitCode = 1;
  }
}
