import type { Environment } from "../../env/index.js";
import { ConfigError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import type { Episode } from "../rollout.js";

/** What of an episode a video needs. */
export type RecordedEpisode = Pick<Episode, "seed" | "actions" | "states" | "success">;

export const SUCCESS_COLOUR = [44, 160, 44] as const;
export const FAILURE_COLOUR = [214, 39, 40] as const;
const BORDER = 4;

/**
 * The pictures of an episode: one of every state, from the reset to the end, by carrying its actions out again. Then the last one
 * stands for half a second in a border of 4 pixels, green for success and red for anything else.
 *
 * @param world one with the options that the episode had; it is reset
 * @param size edge of the pictures
 * @returns `states + round(fps / 2)` pictures uint8 `[3, size, size]`, each made when it is asked for
 * @throws ConfigError if the actions lead elsewhere in this world
 */
export function* episodeFrames(
  episode: RecordedEpisode,
  world: Environment,
  size: number,
): Generator<HostArray, void, undefined> {
  const { seed, actions, states, success } = episode;
  let { state } = world.reset(seed);
  for (let step = 0; ; step++) {
    const recorded = states[step];
    if (recorded === undefined || !isSame(state, recorded)) {
      throw new ConfigError(
        "video",
        `expected the world in which the episode of seed ${seed} took place, got ${world.id} in which it goes another way from step ${step} on. Give it the same options`,
      );
    }
    yield world.render(size);
    const action = actions[step];
    if (action === undefined) break;
    state = world.step(action).observation.state;
  }
  const last = withBorder(world.render(size), success ? SUCCESS_COLOUR : FAILURE_COLOUR);
  for (let i = 0; i < Math.round(world.fps / 2); i++) yield last;
}

const isSame = ({ data }: HostArray, recorded: Float32Array): boolean =>
  data.length === recorded.length && recorded.every((value, i) => value === data[i]);

function withBorder(image: HostArray, colour: readonly [number, number, number]): HostArray {
  const [, height, width] = image.shape as [number, number, number];
  const data = Uint8Array.from(image.data as Uint8Array);
  for (let channel = 0, at = 0; channel < 3; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const fromEdge = Math.min(x, y, width - 1 - x, height - 1 - y);
        if (fromEdge < BORDER) data[at] = colour[channel]!;
      }
    }
  }
  return { ...image, data };
}
