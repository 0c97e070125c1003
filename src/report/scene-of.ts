import { AVOIDING_MODES, gapsOfMode } from "../env/avoiding/mode-recorder.js";
import { FINISH, OBSTACLES, START } from "../env/avoiding/scene.js";
import { toPixels, VIEW_EDGE } from "../env/avoiding/view.js";
import type { Scene } from "./report-data.js";

const LEVEL_WORDS = [
  ["left", "right"],
  ["left", "middle", "right"],
  ["gap 1", "gap 2", "gap 3", "gap 4"],
] as const;

/** What the routes of a built-in world are drawn over; undefined for a world that has no picture here. */
export const sceneOf = (environment: string): Scene | undefined =>
  /^avoiding\b/.test(environment) ? AVOIDING : undefined;

/** The plane's point in the upper left corner of the pictures that policies see. */
const [left, top] = toPixels([0, 0], VIEW_EDGE).map((offset, axis) => (axis === 0 ? -offset : offset)) as [
  number,
  number,
];

const AVOIDING: Scene = {
  x: [left, left + VIEW_EDGE],
  y: [top - VIEW_EDGE, top],
  obstacles: OBSTACLES.map(({ centre: [x, y], radius }) => ({ x, y, radius })),
  start: START,
  finishY: FINISH.y,
  modeNames: Object.fromEntries(
    AVOIDING_MODES.map((mode) => [
      mode,
      gapsOfMode(mode)!
        .map((gap, level) => LEVEL_WORDS[level]![gap])
        .join(", "),
    ]),
  ),
};
