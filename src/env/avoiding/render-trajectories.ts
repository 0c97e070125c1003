import { ConfigError } from "../../support/errors.js";
import { loadCanvas } from "./load-canvas.js";
import { renderScene } from "./render-scene.js";
import { type Point, START } from "./scene.js";
import { toPixels } from "./view.js";

/** The way of one rod through the scene. */
export interface Trajectory {
  readonly points: readonly Point[];
  /** `#rrggbb`; dark blue by default */
  readonly colour?: string;
}

export interface TrajectoryPictureOptions {
  /** edge of the picture in pixels; 512 by default */
  readonly size?: number;
  /** of each line, above 0 and at most 1; 0.5 by default, so that ways that many rods took are darker */
  readonly opacity?: number;
}

/** A picture as plain bytes. */
export interface Picture {
  readonly size: number;
  /** `size * size` pixels, row by row from the top, of 4 bytes each; alpha is 255 everywhere */
  readonly rgba: Uint8Array;
  /** the picture as a PNG file */
  readonly png: Uint8Array;
}

/**
 * Many ways drawn over the scene, in their order, for reports. A trajectory of one point leaves a dot.
 *
 * @throws ConfigError for a size, opacity, colour or point that cannot be drawn
 */
export function renderTrajectories(
  trajectories: readonly Trajectory[],
  { size = 512, opacity = 0.5 }: TrajectoryPictureOptions = {},
): Picture {
  if (!(opacity > 0 && opacity <= 1)) {
    throw new ConfigError("env avoiding", `expected opacity to be a number above 0 and at most 1, got ${opacity}`);
  }
  const { createCanvas, ImageData } = loadCanvas();
  const scene = packedFromPlanar(renderScene(size, START).data as Uint8Array);
  const canvas = createCanvas(size, size);
  const context = canvas.getContext("2d");
  context.putImageData(new ImageData(scene, size, size), 0, 0);
  context.globalAlpha = opacity;
  context.lineWidth = Math.max(1, size / 300);
  context.lineJoin = "round";
  context.lineCap = "round";
  for (const [i, { points, colour = "#1f3a93" }] of trajectories.entries()) {
    checkTrajectory(points, colour, i);
    context.strokeStyle = colour;
    context.beginPath();
    for (const [k, point] of points.entries()) {
      const [x, y] = toPixels(point, size);
      if (k === 0) context.moveTo(x, y);
      context.lineTo(x, y);
    }
    context.stroke();
  }
  return { size, rgba: Uint8Array.from(canvas.data()), png: Uint8Array.from(canvas.toBuffer("image/png")) };
}

function checkTrajectory(points: readonly Point[], colour: string, index: number): void {
  const where = `env avoiding, trajectory ${index}`;
  if (!/^#[0-9a-f]{6}$/i.test(colour)) throw new ConfigError(where, `expected a colour as #rrggbb, got "${colour}"`);
  const odd = points.find(([x, y]) => !Number.isFinite(x) || !Number.isFinite(y));
  if (odd !== undefined) throw new ConfigError(where, `expected points of two finite numbers, got [${odd.join(", ")}]`);
}

/** RGBA pixels, opaque, from three planes. */
function packedFromPlanar(planes: Uint8Array): Uint8ClampedArray {
  const numPixels = planes.length / 3;
  const packed = new Uint8ClampedArray(4 * numPixels).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < numPixels; i++) packed[4 * i + channel] = planes[channel * numPixels + i]!;
  }
  return packed;
}
