/** An error whose message is all a developer needs. */
export class InteropError extends Error {}

export interface PythonEnv {
  /** Path of the interpreter. */
  readonly python: string;
  /** The environment variables to run it with. */
  readonly env: NodeJS.ProcessEnv;
}

/** Makes sure that a Python with stock LeRobot exists in `.interop-venv`; safe in any number of processes at once. */
export function ensurePythonEnv(options?: { log?: (message: string) => void }): Promise<PythonEnv>;

/** Runs one script of `python/` to its end and returns its standard output; fails with its standard error. */
export function runPythonScript(
  script: string,
  args: readonly string[],
  options?: { cwd?: string; log?: (message: string) => void },
): Promise<string>;
