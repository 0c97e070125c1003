import type { HostArray } from "../../support/host-array.js";
import { expectInteger } from "../expect-integer.js";
import { FINISH, OBSTACLES, type Point, ROD_RADIUS } from "./scene.js";
import { toPixels, VIEW_EDGE } from "./view.js";

type Colour = readonly [red: number, green: number, blue: number];

const GROUND: Colour = [240, 240, 240];
const FINISH_LINE: Colour = [143, 209, 158];
const OBSTACLE: Colour = [214, 39, 40];
const ROD: Colour = [31, 58, 147];

/** samples per pixel in each direction, which smooth the edges */
const SAMPLES = 4;

/**
 * The scene from above with the rod at a place: uint8 `[3, size, size]`.
 *
 * A raster of our own, in arithmetic that IEEE 754 fixes to the last bit: the same place and size give the same bytes on
 * every machine. (Pictures of a drawing library depend on its build, and its memory is not freed before the event loop turns.)
 *
 * @throws ConfigError for a size that is no whole number in [16, 4096]
 */
export function renderScene(size: number, rod: Point): HostArray {
  expectInteger("env avoiding", "size", size, 16, 4096);
  if (lastScenery?.size !== size) lastScenery = { size, pixels: drawScenery(size) };
  const pixels = lastScenery.pixels.slice();
  fillDisc(pixels, size, rod, ROD_RADIUS, ROD);
  return { dtype: "uint8", shape: [3, size, size], data: pixels };
}

/** What never moves, of the size drawn last: frames of one size mostly follow each other. */
let lastScenery: { readonly size: number; readonly pixels: Uint8Array } | undefined;

function drawScenery(size: number): Uint8Array {
  const pixels = new Uint8Array(3 * size * size);
  for (const [channel, value] of GROUND.entries())
    pixels.fill(value, channel * size * size, (channel + 1) * size * size);
  fillBand(pixels, size, FINISH.y - FINISH.halfWidth, FINISH.y + FINISH.halfWidth, FINISH_LINE);
  for (const { centre, radius } of OBSTACLES) fillDisc(pixels, size, centre, radius, OBSTACLE);
  return pixels;
}

/** Puts a colour over a pixel with `numCovered` of `numSamples` samples. */
function blend(pixels: Uint8Array, plane: number, at: number, colour: Colour, numCovered: number, numSamples: number) {
  for (let channel = 0; channel < 3; channel++) {
    const i = channel * plane + at;
    const mixed = pixels[i]! * (numSamples - numCovered) + colour[channel]! * numCovered;
    pixels[i] = Math.floor((mixed + numSamples / 2) / numSamples);
  }
}

/** The middle of a pixel's k-th sample along one axis, in pixels. */
const sampleAt = (pixel: number, k: number): number => pixel + (k + 0.5) / SAMPLES;

/** Everything between two y, over the whole width. */
function fillBand(pixels: Uint8Array, size: number, fromY: number, toY: number, colour: Colour): void {
  const [, top] = toPixels([0, toY], size);
  const [, bottom] = toPixels([0, fromY], size);
  for (let row = Math.max(0, Math.floor(top)); row < Math.min(size, Math.ceil(bottom)); row++) {
    let numCovered = 0;
    for (let k = 0; k < SAMPLES; k++) {
      const y = sampleAt(row, k);
      if (y >= top && y < bottom) numCovered += 1;
    }
    for (let column = 0; column < size; column++) {
      blend(pixels, size * size, row * size + column, colour, numCovered, SAMPLES);
    }
  }
}

/** A disc; what lies outside of the picture is left out. */
function fillDisc(pixels: Uint8Array, size: number, centre: Point, radius: number, colour: Colour): void {
  const [x, y] = toPixels(centre, size);
  const reach = (radius / VIEW_EDGE) * size;
  for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(size, Math.ceil(y + reach)); row++) {
    for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(size, Math.ceil(x + reach)); column++) {
      let numCovered = 0;
      for (let k = 0; k < SAMPLES * SAMPLES; k++) {
        const dx = sampleAt(column, k % SAMPLES) - x;
        const dy = sampleAt(row, Math.floor(k / SAMPLES)) - y;
        if (dx * dx + dy * dy < reach * reach) numCovered += 1;
      }
      if (numCovered > 0) blend(pixels, size * size, row * size + column, colour, numCovered, SAMPLES * SAMPLES);
    }
  }
}
