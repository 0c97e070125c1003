import { native } from "./native.js";
import { Tensor } from "./tensor.js";

const forgotten = new FinalizationRegistry<number>((handle) => native.freeGenerator(handle));

/**
 * A source of random numbers that is passed as an argument; there is no global one.
 *
 * CPU generators give the same numbers on every machine, so what must be reproducible (noise, times, initial weights)
 * is drawn on the CPU and moved.
 */
export class Generator {
  readonly handle: number;

  /** @param seed any safe integer of at least 0 */
  constructor(seed: number, device = "cpu") {
    this.handle = native.newGenerator(device, seed);
    forgotten.register(this, this.handle, this);
  }

  /** `uint8[n]`, everything the generator knows. */
  get state(): Tensor {
    return new Tensor(native.generatorState(this.handle));
  }

  set state(state: Tensor) {
    native.setGeneratorState(this.handle, state.handle);
  }

  [Symbol.dispose](): void {
    forgotten.unregister(this);
    native.freeGenerator(this.handle);
  }
}
