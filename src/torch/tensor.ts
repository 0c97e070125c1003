import { TorchError } from "../support/errors.js";
import {
  bytesOf,
  type HostArray,
  hostArray,
  hostArrayFromBytes,
  hostArrayOfNumbers,
  numElements,
} from "../support/host-array.js";
import { codeOfDtype, type DType, dtypeOfCode } from "./dtype.js";
import { called, type Handle, native } from "./native.js";
import { adoptIntoScope, TENSOR_BRAND } from "./scope.js";

const forgotten = new FinalizationRegistry<Handle>((handle) => native.freeTensor(handle));

/** A libtorch tensor. Operators are functions (`torch/ops`); this class is identity, description and lifetime. */
export class Tensor {
  readonly [TENSOR_BRAND] = true;
  #handle: Handle | undefined;
  #shape: readonly number[] | undefined;
  #dtype: DType | undefined;
  #isWatched = false;

  /** Takes ownership of a native handle: the innermost open scope frees it, or else its holder. */
  constructor(handle: Handle) {
    this.#handle = handle;
    if (!adoptIntoScope(this)) this.watchForCollection();
  }

  /** @throws TorchError if the tensor was disposed */
  get handle(): Handle {
    if (this.#handle === undefined) throw new TorchError("tensor", "torch: expected a live tensor, got a disposed one");
    return this.#handle;
  }

  get isDisposed(): boolean {
    return this.#handle === undefined;
  }

  get shape(): readonly number[] {
    this.#shape ??= native.tensorShape(this.handle);
    return this.#shape;
  }

  get dtype(): DType {
    this.#dtype ??= dtypeOfCode(native.tensorDtype(this.handle));
    return this.#dtype;
  }

  /** Such as `cpu` or `cuda:0`. */
  get device(): string {
    return native.tensorDevice(this.handle);
  }

  get numElements(): number {
    return numElements(this.shape);
  }

  /** The size of one dimension; negative counts from the end. */
  size(dim: number): number {
    const size = this.shape.at(dim);
    if (size === undefined)
      throw new TorchError("size", `torch.size: [${this.shape.join(", ")}] has no dimension ${dim}`);
    return size;
  }

  get requiresGrad(): boolean {
    return native.requiresGrad(this.handle);
  }

  set requiresGrad(value: boolean) {
    called("requiresGrad", () => native.setRequiresGrad(this.handle, value));
  }

  /** A new handle to the accumulated gradient, or undefined if there is none. */
  get grad(): Tensor | undefined {
    const handle = native.gradOf(this.handle);
    return handle === null ? undefined : new Tensor(handle);
  }

  set grad(value: Tensor | undefined) {
    called("grad", () => native.setGrad(this.handle, value === undefined ? null : value.handle));
  }

  /** A copy of the entries in JavaScript memory, row-major. Waits for the device. */
  toHost(): HostArray {
    const bytes = called("toHost", () => native.tensorBytes(this.handle));
    return hostArrayFromBytes(this.dtype, this.shape, new Uint8Array(bytes));
  }

  /** The entries as numbers, row-major. @throws TorchError for float16 and bfloat16: convert to float32 first */
  toNumbers(): number[] {
    if (this.dtype === "float16" || this.dtype === "bfloat16") {
      throw new TorchError(
        "toNumbers",
        `torch.toNumbers: expected a type that JavaScript can read, got ${this.dtype}. Convert to float32 first`,
      );
    }
    return Array.from(this.toHost().data as ArrayLike<number | bigint>, Number);
  }

  /** The only entry of a one-element tensor. */
  item(): number {
    if (this.numElements !== 1) {
      throw new TorchError("item", `torch.item: expected one element, got shape [${this.shape.join(", ")}]`);
    }
    return this.toNumbers()[0]!;
  }

  /** Gives the memory back (once no view and no gradient graph holds it either). Disposing twice is harmless. */
  dispose(): void {
    if (this.#handle === undefined) return;
    if (this.#isWatched) forgotten.unregister(this);
    native.freeTensor(this.#handle);
    this.#handle = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** internal: gives up its handle, which its new owner frees; this object is then as good as disposed. */
  release(): Handle {
    const { handle } = this;
    if (this.#isWatched) forgotten.unregister(this);
    this.#handle = undefined;
    return handle;
  }

  /** internal: handed from a closing scope to the one around it. */
  leaveScope(): void {
    if (!adoptIntoScope(this)) this.watchForCollection();
  }

  /** internal: no scope will free it, so the garbage collector is the safety net. */
  watchForCollection(): void {
    if (this.#isWatched || this.#handle === undefined) return;
    this.#isWatched = true;
    forgotten.register(this, this.#handle, this);
  }
}

/** A CPU tensor holding a copy of the array. @throws ShapeError if its data is not what dtype and shape say */
export function tensorFromHost({ dtype, shape, data }: HostArray): Tensor {
  const code = codeOfDtype(dtype);
  const array = hostArray(dtype, shape, data);
  return new Tensor(called("tensorFromHost", () => native.tensorFromBytes(bytesOf(array), code, shape)));
}

/**
 * A CPU tensor from JavaScript numbers, float32 unless said otherwise.
 *
 * @throws ShapeError if there are not as many numbers as the shape says
 */
export function tensor(
  values: readonly number[],
  shape: readonly number[] = [values.length],
  dtype: DType = "float32",
): Tensor {
  codeOfDtype(dtype); // refuses what is no type at all
  if (dtype === "float16" || dtype === "bfloat16") {
    throw new TorchError(
      "tensor",
      `torch.tensor: expected a type that JavaScript can write, got ${dtype}. Make float32 and convert`,
    );
  }
  return tensorFromHost(hostArrayOfNumbers(dtype, shape, values));
}

/** How many tensors this thread holds: the figure that a leak would move. */
export const numLiveTensors = (): number => native.numLiveTensors();
