import { TorchError } from "../support/errors.js";
import { called, native } from "./native.js";

/** Whether the linked libtorch can compute on a device such as `cpu`, `cuda`, `cuda:1` or `mps` now. */
export function isDeviceAvailable(device: string): boolean {
  const [, type, index = "0"] = device.match(/^([a-z]+)(?::(\d+))?$/) ?? [];
  if (type === undefined) return false;
  if (type === "cpu") return index === "0";
  try {
    return Number(index) < native.numDevices(type);
  } catch {
    return false; // not a device type at all
  }
}

/** The fastest kind of device there is: cuda, else mps, else cpu. */
export const defaultDevice = (): string => ["cuda", "mps"].find(isDeviceAvailable) ?? "cpu";

/** @throws TorchError naming the devices there are */
export function expectDevice(device: string, where: string): string {
  if (isDeviceAvailable(device)) return device;
  const available = ["cpu", "cuda", "mps"].filter(isDeviceAvailable);
  throw new TorchError(
    "device",
    `${where}: expected a device this libtorch can use (${available.join(", ")}), got "${device}"`,
  );
}

/** Returns when all work queued on the device is done; read the clock after it. */
export const synchronize = (device: string): void => called("synchronize", () => native.synchronize(device));

/** Peak bytes allocated on an accelerator since the process began; undefined on the CPU. */
export function peakMemoryBytes(device: string): number | undefined {
  if (device.startsWith("cpu")) return undefined;
  return called("peakMemoryBytes", () => native.peakMemory(device));
}

/** Threads that one operator may use, for calls from this thread. */
export const setNumThreads = (count: number): void => called("setNumThreads", () => native.setNumThreads(count));
export const numThreads = (): number => native.numThreads();

/** `high` lets CUDA multiply float32 matrices in TF32, as LeRobot does; `highest` keeps full float32. */
export const setFloat32MatmulPrecision = (precision: "highest" | "high" | "medium"): void =>
  native.setFloat32MatmulPrecision(precision);

/** Of the headers the bridge was built with, such as `2.13.0`. */
export const torchVersion = (): string => native.torchVersion();
