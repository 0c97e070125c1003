/** Layers: parameters plus a forward function, no training and no flows. */
export { attend, mergeHeads, splitHeads } from "./attention.js";
export { Embedding } from "./embedding.js";
export { LayerNorm } from "./layer-norm.js";
export { Linear } from "./linear.js";
export { Lora } from "./lora.js";
export { mergedWeights } from "./merged-weights.js";
export { Module } from "./module.js";
export { type InitialLaw, linearDefault, type ParameterSource, within } from "./parameter-source.js";
export { RmsNorm } from "./rms-norm.js";
export { type Rotary, rotaryAngles, rotate } from "./rotary.js";
