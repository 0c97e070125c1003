// Finds libtorch in an installed Python `torch`, or installs one into the project's own `.venv`. Node built-ins only.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runProgram } from "./run-program.mjs";

const ACCEPTED = { major: 2, fromMinor: 11, toMinor: 14 };
export const ACCEPTED_TEXT = `${ACCEPTED.major}.${ACCEPTED.fromMinor} to ${ACCEPTED.major}.${ACCEPTED.toMinor}`;
export const TORCH_TO_INSTALL = "torch==2.13.0";

/** An error whose message is all a user needs. */
export class SetupError extends Error {}

/** The version written in a torch package folder, or undefined if there is none. */
function versionIn(root) {
  const file = join(root, "version.py");
  if (!existsSync(file)) return undefined;
  return readFileSync(file, "utf8").match(/__version__\s*=\s*['"]([^'"]+)['"]/)?.[1];
}

/** Why a torch package folder cannot be used, or undefined if it can. */
function refusal(root, version) {
  const [major, minor] = version.split(".").map(Number);
  if (major !== ACCEPTED.major || !(minor >= ACCEPTED.fromMinor && minor <= ACCEPTED.toMinor)) {
    return `torch ${version} in ${root} is not a version this release is built for (${ACCEPTED_TEXT})`;
  }
  if (!existsSync(join(root, "include", "ATen", "ATen.h"))) return `torch ${version} in ${root} has no C++ headers`;
  return undefined;
}

/** The folder of the `torch` package that an interpreter would import, without importing it (which takes seconds). */
function torchOf(python) {
  const script =
    "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s and s.submodule_search_locations else '')";
  try {
    return (
      execFileSync(python, ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
}

async function installInto(venv, log) {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
  } catch {
    throw new SetupError(
      "no python3 on the path. Install Python 3.10 or newer with pip and venv (Debian: apt install python3 python3-pip python3-venv), or set REFLOW_LIBTORCH to a torch package folder",
    );
  }
  const python = join(venv, "bin", "python");
  try {
    if (!existsSync(python)) await runProgram("python3", ["-m", "venv", venv]);
    await runProgram(python, ["-m", "pip", "--version"]);
  } catch (error) {
    throw new SetupError(
      `a Python environment with pip cannot be made in ${venv}. Install pip and venv for python3 (Debian: apt install python3-pip python3-venv). Python said:\n${error.message}`,
    );
  }
  log(`installing ${TORCH_TO_INSTALL} into ${venv}`);
  try {
    await runProgram(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", TORCH_TO_INSTALL]);
  } catch (error) {
    throw new SetupError(
      `pip could not install ${TORCH_TO_INSTALL}. Install torch ${ACCEPTED_TEXT} for python3 yourself, or set REFLOW_LIBTORCH. pip said:\n${error.message}`,
    );
  }
  return torchOf(python);
}

/**
 * The torch package folder to build against: REFLOW_LIBTORCH, else `torch` of the python3 on the path, else a project
 * `.venv` (made if need be).
 * @returns {Promise<{ root: string, version: string }>}
 */
export async function findLibtorch(projectRoot, log) {
  const explicit = process.env.REFLOW_LIBTORCH;
  if (explicit) {
    const root = resolve(explicit);
    const version = versionIn(root);
    if (!version)
      throw new SetupError(
        `REFLOW_LIBTORCH=${explicit}: expected the folder of a Python torch package (it holds version.py, include/ and lib/)`,
      );
    const reason = refusal(root, version);
    if (reason) throw new SetupError(`REFLOW_LIBTORCH: ${reason}`);
    return { root, version };
  }
  const venv = join(projectRoot, ".venv");
  for (const python of ["python3", join(venv, "bin", "python")]) {
    const root = torchOf(python);
    const version = root && versionIn(root);
    if (!version) continue;
    const reason = refusal(root, version);
    if (!reason) return { root, version };
    log(`${reason}; looking further`);
  }
  const root = await installInto(venv, log);
  const version = root && versionIn(root);
  const reason = version ? refusal(root, version) : "pip finished, but no torch can be found";
  if (reason) throw new SetupError(`${venv}: ${reason}`);
  return { root, version };
}
