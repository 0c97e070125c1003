// A Python with stock LeRobot 0.4.4 in it, made on demand in `.interop-venv`, and a way to run the scripts of `python/`.
// For tests and benchmarks only; the package itself never needs Python. Node built-ins only.
//
//   node test/interop/python-env.mjs                      make the environment (or find it made) and say where it is
//   node test/interop/python-env.mjs PATH/SCRIPT.py [ARG...]   the same, then run a script in it
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const interopFolder = dirname(fileURLToPath(import.meta.url));
const projectRoot = dirname(dirname(interopFolder));
const scriptFolder = join(interopFolder, "python");
const requirementsFile = join(interopFolder, "requirements.txt");
const venv = join(projectRoot, ".interop-venv");
const venvPython = join(venv, "bin", "python");
const stampFile = join(venv, "installed-requirements.sha256");
const LOCK_NAME = "lock";

const OLDEST_PYTHON = [3, 11];
const PYTHONS_TO_TRY = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
const HOW_TO_GET_PYTHON = `Install Python ${OLDEST_PYTHON.join(".")} or newer with pip and venv (Debian: apt install python3 python3-pip python3-venv)`;

/** What a script needs to have been imported once, so that the first one to run does not pay for compiling it. */
const IMPORT_CHECK =
  "import lerobot.policies.smolvla.modeling_smolvla, lerobot.policies.factory, lerobot.datasets.lerobot_dataset, lerobot.utils.train_utils, tensorboard.backend.event_processing.event_accumulator, wandb.cli.cli";

/** An error whose message is all a developer needs. */
export class InteropError extends Error {}

/**
 * Runs a program to its end. `lock` is an open file that it inherits.
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
 */
function run(command, args, { lock = "ignore", ...options } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", lock], ...options });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (chunk) => {
        text[name] += chunk;
      });
    }
    child.on("error", fail);
    child.on("close", (code) => done({ code, ...text }));
  });
}

/** The same for a step of the set-up, which must succeed; `what` begins the message if it does not. */
async function mustRun(what, command, args, options) {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code === 0) return;
  throw new InteropError(`${what} (exit code ${code}). It said:\n${`${stdout}${stderr}`.trim().slice(-4000)}`);
}

/** The first Python on the path that is new enough and can make environments with pip. */
async function findPython() {
  const refusals = [];
  for (const python of PYTHONS_TO_TRY) {
    const question = "import sys, venv, ensurepip; print(*sys.version_info[:2])";
    const answer = await run(python, ["-c", question]).catch((error) => ({
      code: null,
      stdout: "",
      stderr: error.code,
    }));
    if (answer.code !== 0) {
      refusals.push(`${python}: ${answer.stderr.trim().split("\n").at(-1)}`);
      continue;
    }
    const [major, minor] = answer.stdout.split(" ").map(Number);
    if (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1]) return python;
    refusals.push(`${python}: version ${major}.${minor}`);
  }
  throw new InteropError(
    `stock LeRobot: expected a Python ${OLDEST_PYTHON.join(".")} or newer with venv and pip on the path, got ${refusals.join("; ")}. ${HOW_TO_GET_PYTHON}`,
  );
}

/**
 * Runs `work` while no other process runs its own. The lock is one of the operating system on an open file, which the
 * programs that `work` starts inherit: if this process is killed, the lock lasts until the last of them has ended too.
 */
async function withLock(python, log, work) {
  mkdirSync(venv, { recursive: true });
  const lock = openSync(join(venv, LOCK_NAME), "w");
  const take = (how) => ["-c", `import fcntl; fcntl.flock(3, ${how})`];
  try {
    const attempt = await run(python, take("fcntl.LOCK_EX | fcntl.LOCK_NB"), { lock });
    if (attempt.code !== 0) {
      log("another process is installing stock LeRobot; waiting for it");
      await mustRun(`${venv} could not be locked`, python, take("fcntl.LOCK_EX"), { lock });
    }
    return await work(lock);
  } finally {
    closeSync(lock);
  }
}

async function install({ python, requirementsHash, environment, log, lock }) {
  const started = performance.now();
  for (const entry of readdirSync(venv)) {
    if (entry !== LOCK_NAME) rmSync(join(venv, entry), { recursive: true, force: true });
  }
  const step = (what, program, args) => mustRun(what, program, args, { env: environment, lock });
  await step(`${python} could not make an environment in ${venv}. ${HOW_TO_GET_PYTHON}`, python, ["-m", "venv", venv]);

  const torch = readFileSync(requirementsFile, "utf8").match(/^torch==\S+$/m)[0];
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-compile"];
  // Torch first and with its needs, which differ between platforms; the file only holds them to its versions.
  log(`installing ${torch}`);
  await step(`pip could not install ${torch}`, venvPython, [...pip, "--constraint", requirementsFile, torch]);
  log("installing stock LeRobot and what it imports");
  const everything = ["--no-deps", "--requirement", requirementsFile];
  await step("pip could not install stock LeRobot", venvPython, [...pip, ...everything]);
  await step("stock LeRobot was installed but cannot be imported", venvPython, ["-c", IMPORT_CHECK]);

  const unfinished = `${stampFile}.${process.pid}`;
  writeFileSync(unfinished, requirementsHash);
  renameSync(unfinished, stampFile);
  log(`stock LeRobot is ready (${((performance.now() - started) / 1000).toFixed(0)} s)`);
}

/** The variables a script runs with: our own module folder, no network, and no file written outside `.interop-venv`. */
function scriptEnvironment() {
  return {
    ...process.env,
    PYTHONPATH: scriptFolder,
    PYTHONPYCACHEPREFIX: join(venv, "pycache"),
    PYTHONDONTWRITEBYTECODE: "",
    PYTHONUNBUFFERED: "1",
    HF_HOME: join(venv, "huggingface"),
    HF_HUB_OFFLINE: "1",
    TOKENIZERS_PARALLELISM: "false",
  };
}

/**
 * Makes sure that a Python with stock LeRobot exists in `.interop-venv`, installing it if it does not or if
 * `requirements.txt` has changed. Takes about a minute where torch comes from near by, and milliseconds when all is
 * there. Any number of processes may call it at once.
 * @param {{ log?: (message: string) => void }} [options]
 * @returns {Promise<{ python: string, env: NodeJS.ProcessEnv }>} the interpreter, and the environment to run it in
 * @throws {InteropError} when there is no usable Python, or pip fails
 */
export async function ensurePythonEnv({ log = () => {} } = {}) {
  const requirementsHash = createHash("sha256").update(readFileSync(requirementsFile)).digest("hex");
  const isInstalled = () =>
    existsSync(venvPython) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === requirementsHash;
  const environment = scriptEnvironment();
  if (!isInstalled()) {
    const python = await findPython();
    await withLock(python, log, async (lock) => {
      if (!isInstalled()) await install({ python, requirementsHash, environment, log, lock });
    });
  }
  return { python: venvPython, env: environment };
}

/**
 * Runs one script of `python/` to its end.
 * @param {string} script file name, such as "predict.py"
 * @param {string[]} args
 * @param {{ cwd?: string, log?: (message: string) => void }} [options] `cwd` is where a relative `vlm_model_name` and
 *   relative paths among the arguments start from
 * @returns {Promise<string>} what it wrote to its standard output
 * @throws {InteropError} with what it wrote to its standard error, when it fails
 */
export async function runPythonScript(script, args, { cwd, log } = {}) {
  const { python, env } = await ensurePythonEnv({ log });
  const { code, stdout, stderr } = await run(python, [join(scriptFolder, script), ...args], { env, cwd });
  if (code !== 0)
    throw new InteropError(
      `${script} ${args.join(" ")}: expected exit code 0, got ${code}. It said:\n${stderr.trim()}`,
    );
  return stdout;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { python, env } = await ensurePythonEnv({ log: (message) => process.stderr.write(`interop: ${message}\n`) });
    const [script, ...args] = process.argv.slice(2);
    if (script === undefined) process.stdout.write(`${python}\n`);
    else spawn(python, [script, ...args], { env, stdio: "inherit" }).on("close", (code) => process.exit(code ?? 1));
  } catch (error) {
    if (!(error instanceof InteropError)) throw error;
    process.stderr.write(`interop: ${error.message}\n`);
    process.exitCode = 1;
  }
}
