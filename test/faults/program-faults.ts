import type { Fault } from "./fault.js";

/** Faults of the program itself. */
export const PROGRAM_FAULTS: readonly Fault[] = [
  {
    fault: "training's forward pass gives another velocity than cached inference",
    who: "doctor",
    names: "forward-paths",
  },
  { fault: "the network writes into the noise that it is asked about", who: "doctor", names: "noise-intact" },
  { fault: "a copy is saved with other weights", who: "doctor", names: "saved-copy" },
];
