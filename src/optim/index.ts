export { AdamW, type AdamWOptions, type Moments } from "./adamw.js";
export { clipGradients } from "./clip-gradients.js";
export { type CosineDecayOptions, cosineDecayWithWarmup } from "./cosine-decay-with-warmup.js";
export { Ema, type EmaOptions } from "./ema.js";
