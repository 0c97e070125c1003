/**
 * The scene of `avoiding`: a rod is moved on a plane past three levels of obstacles. In metres; levels are crossed in +y, and
 * x is lateral.
 *
 * Reference: the task "Avoiding" of D3IL (Jia et al. 2024, arXiv:2402.14606), whose centres, radii, start and finish line
 * these are.
 */

/** x and y */
export type Point = readonly [x: number, y: number];

export interface Obstacle {
  /** 1, 2 or 3 */
  readonly level: number;
  readonly centre: Point;
  readonly radius: number;
}

export const OBSTACLES: readonly Obstacle[] = [
  { level: 1, centre: [0.5, -0.1], radius: 0.03 },
  { level: 2, centre: [0.425, 0.08], radius: 0.025 },
  { level: 2, centre: [0.575, 0.08], radius: 0.025 },
  { level: 3, centre: [0.35, 0.26], radius: 0.025 },
  { level: 3, centre: [0.5, 0.26], radius: 0.025 },
  { level: 3, centre: [0.65, 0.26], radius: 0.025 },
];

export const ROD_RADIUS = 0.01;
export const START: Point = [0.525, -0.28];

/** The task is done above `y`; the line is drawn `2 * halfWidth` wide, over the whole picture. */
export const FINISH = { y: 0.35, halfWidth: 0.01 } as const;

/** from one action to the next, in seconds */
export const CONTROL_PERIOD_S = 0.035;
