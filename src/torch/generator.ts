import { TorchError } from "../support/errors.js";
import { called, native } from "./native.js";
import { Tensor } from "./tensor.js";

const forgotten = new FinalizationRegistry<number>((handle) => native.freeGenerator(handle));

/**
 * A source of random numbers that is passed as an argument; there is no global one.
 *
 * CPU generators give the same numbers on every machine, so what must be reproducible (noise, times, initial weights)
 * is drawn on the CPU and moved.
 */
export class Generator {
  #handle: number | undefined;

  /** @param seed any safe integer of at least 0; on the CPU only its lowest 32 bits count */
  constructor(seed: number, device = "cpu") {
    this.#handle = called("Generator", () => native.newGenerator(device, seed));
    forgotten.register(this, this.#handle, this);
  }

  /** @throws TorchError if the generator was disposed */
  get handle(): number {
    if (this.#handle !== undefined) return this.#handle;
    throw new TorchError("Generator", "torch: expected a live generator, got a disposed one");
  }

  /** `uint8[n]`, everything the generator knows. */
  get state(): Tensor {
    return new Tensor(native.generatorState(this.handle));
  }

  set state(state: Tensor) {
    called("Generator.state", () => native.setGeneratorState(this.handle, state.handle));
  }

  /** Disposing twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#handle === undefined) return;
    forgotten.unregister(this);
    native.freeGenerator(this.#handle);
    this.#handle = undefined;
  }
}
