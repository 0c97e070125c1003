import type { DType } from "../torch/index.js";
import { isJointLayer } from "./action-expert.js";
import type { SmolVLAConfig } from "./config.js";

/**
 * `fp32`: every weight in float32. `bf16`: the mixture that stock LeRobot runs with `load_vlm_weights=true`: bfloat16
 * except for the five projections and the key and value projections of the expert's cross layers.
 */
export type Precision = "fp32" | "bf16";

/** The element type in which a parameter is computed with; `name` is our own field path. */
export function computeDtype(name: string, precision: Precision, config: SmolVLAConfig): DType {
  if (precision === "fp32") return "float32";
  if (/^expert\.(stateIn|actionIn|actionOut|timeIn|timeOut)\./.test(name)) return "float32";
  const crossLayer = name.match(/^expert\.layers\.(\d+)\.(key|value)\./)?.[1];
  return crossLayer !== undefined && !isJointLayer(config, Number(crossLayer)) ? "float32" : "bfloat16";
}
