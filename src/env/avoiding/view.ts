import type { Point } from "./scene.js";

/** Edge of the square of the plane that pictures show, from straight above: +x is right, +y is up. In metres. */
export const VIEW_EDGE = 0.75;
const LEFT = 0.125;
const TOP = 0.4;

/** The place of a point of the plane in a picture of `size * size` pixels: column and row, from the upper left corner. */
export const toPixels = ([x, y]: Point, size: number): Point => [
  ((x - LEFT) / VIEW_EDGE) * size,
  ((TOP - y) / VIEW_EDGE) * size,
];
