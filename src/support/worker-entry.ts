import { fileURLToPath } from "node:url";

/**
 * The compiled file to start a worker thread from. A worker is a program of its own and cannot run TypeScript; when the
 * caller itself runs from `src/` (in tests), the compiled twin of `name` under `dist/` is meant.
 *
 * @param name relative to the caller, such as `./batch-worker.js`
 * @param callerUrl the caller's `import.meta.url`
 */
export const workerEntry = (name: string, callerUrl: string): string =>
  fileURLToPath(new URL(name, callerUrl.replace(/\/src\/(?!.*\/src\/)/, "/dist/")));
