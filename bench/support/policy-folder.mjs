// Policy folders with random weights of the real geometry, written by stock LeRobot and kept in `build/bench`.
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { ensurePythonEnv } from "../../test/interop/python-env.mjs";

const BENCH = join(import.meta.dirname, "..");
export const PYTHON_STEP = join(BENCH, "python", "reflow_step.py");

/** A Python with stock LeRobot, made if there is none. */
export const pythonEnv = () => ensurePythonEnv({ log: (message) => console.error(`interop: ${message}`) });

/**
 * The folder, written first if there is none, with its weights read once: whoever loads it first does not wait for the
 * disk.
 * @param {"fp32" | "native"} dtype
 */
export async function policyFolder(dtype) {
  const folder = join(BENCH, "..", "build", "bench", `policy-${dtype}`);
  // The post-processor is what the script writes last.
  if (!existsSync(join(folder, "policy_postprocessor.json"))) {
    console.error(`bench: writing ${folder}`);
    const { python, env } = await pythonEnv();
    const args = [PYTHON_STEP, "--write-policy", folder, "--dtype", dtype];
    const { status } = spawnSync(python, args, { env, stdio: ["ignore", "ignore", "inherit"] });
    if (status !== 0) throw new Error(`bench: ${PYTHON_STEP} --write-policy ended with ${status}`);
  }
  for await (const _ of createReadStream(join(folder, "model.safetensors"), { highWaterMark: 1 << 22 }));
  return folder;
}
