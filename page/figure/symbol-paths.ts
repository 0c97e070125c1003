import type { Series } from "./palette.js";

/** The symbols of series in a square of 14 around 0, in the shapes of Plot's symbols of the same names. */
export const SYMBOL_PATHS: Readonly<Record<Series["symbol"], string>> = {
  circle: "M5,0A5,5,0,1,1,-5,0A5,5,0,1,1,5,0Z",
  square: "M-4.5,-4.5h9v9h-9Z",
  triangle: "M0,-5.8L5,2.9L-5,2.9Z",
  diamond: "M0,-6.5L3.8,0L0,6.5L-3.8,0Z",
  wye: "M2,1.2L2,5.2L-2,5.2L-2,1.2L-5.5,-0.8L-3.5,-4.3L0,-2.3L3.5,-4.3L5.5,-0.8Z",
  star: "M0,-6L1.35,-1.85L5.7,-1.85L2.2,0.7L3.5,4.85L0,2.3L-3.5,4.85L-2.2,0.7L-5.7,-1.85L-1.35,-1.85Z",
  cross: "M-5.5,-2h3.5v-3.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5Z",
};
