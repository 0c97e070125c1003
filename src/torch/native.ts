/**
 * Loads the native bridge. The only module that knows where it is, and (with its neighbours in this folder) the only
 * code that calls it.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, TorchError } from "../support/errors.js";

/** A tensor or generator on the native side: a number that tells a live object from a freed one. */
export type Handle = number;

/** What `native/addon.cc` exports; each function is described there. */
export interface Native {
  operatorSchema(name: string): string | null;
  resolveOperator(name: string): number;
  callOperator(operator: number, ...args: unknown[]): unknown;
  tensorFromBytes(bytes: Uint8Array, dtype: number, shape: readonly number[]): Handle;
  tensorBytes(tensor: Handle): ArrayBuffer;
  tensorShape(tensor: Handle): number[];
  tensorDtype(tensor: Handle): number;
  tensorDevice(tensor: Handle): string;
  freeTensor(tensor: Handle): void;
  numLiveTensors(): number;
  mapTensors(path: string, entries: readonly (readonly [number, readonly number[], number])[]): Handle[];
  setGradEnabled(enabled: boolean): boolean;
  enterInference(): void;
  leaveInference(): void;
  setRequiresGrad(tensor: Handle, requiresGrad: boolean): void;
  requiresGrad(tensor: Handle): boolean;
  gradOf(tensor: Handle): Handle | null;
  setGrad(tensor: Handle, grad: Handle | null): void;
  backward(outputs: readonly Handle[], gradients: readonly Handle[] | null, retainGraph: boolean): void;
  grad(
    outputs: readonly Handle[],
    inputs: readonly Handle[],
    gradients: readonly Handle[] | null,
    retainGraph: boolean,
    createGraph: boolean,
  ): (Handle | null)[];
  recompute(
    result: Handle,
    inputs: readonly Handle[],
    backward: (gradient: Handle, saved: readonly Handle[]) => (Handle | null)[],
  ): Handle;
  numDevices(type: string): number;
  synchronize(device: string): void;
  peakMemory(device: string): number;
  setNumThreads(count: number): void;
  numThreads(): number;
  setFloat32MatmulPrecision(precision: string): void;
  torchVersion(): string;
  newGenerator(device: string, seed: number): Handle;
  freeGenerator(generator: Handle): void;
  generatorState(generator: Handle): Handle;
  setGeneratorState(generator: Handle, state: Handle): void;
}

/**
 * Threads that wait for their share of an operator would by default spin for milliseconds, which costs dearly as soon as
 * anything else computes on the same cores (data workers, a second run). Asleep they cost nothing. libgomp reads this
 * when it is loaded.
 */
function letIdleThreadsSleep(): void {
  process.env.OMP_WAIT_POLICY ??= "PASSIVE";
}

function load(): Native {
  letIdleThreadsSleep();
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const record = join(root, "build", "bridge.json");
  const remedy = `Run \`node ${join(root, "scripts", "setup.mjs")}\``;
  if (!existsSync(record)) throw new TorchError("load", `torch: the bridge to libtorch is not built. ${remedy}`);
  const { addon, torchRoot } = JSON.parse(readFileSync(record, "utf8")) as { addon: string; torchRoot: string };
  if (!existsSync(addon) || !existsSync(torchRoot)) {
    throw new TorchError("load", `torch: ${existsSync(addon) ? torchRoot : addon} is gone. ${remedy} again`);
  }
  try {
    return createRequire(import.meta.url)(addon) as Native;
  } catch (error) {
    throw new TorchError("load", `torch: the bridge cannot be loaded (${messageOf(error)}). ${remedy} again`);
  }
}

export const native: Native = load();

/** Runs a call of the bridge so that its error becomes a TorchError that says what was called. */
export function called<T>(where: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof TorchError ? error : new TorchError(where, `torch.${where}: ${messageOf(error)}`);
  }
}
