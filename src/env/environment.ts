import type { HostArray } from "../support/host-array.js";
import { once } from "../support/once.js";

/** What a policy sees of a world, by LeRobot's names and without batch axis, as the items of a dataset. */
export interface Observation {
  /** float32 `[S]` */
  readonly state: HostArray;
  /**
   * `observation.state` and each camera, uint8 `[3, height, width]`. Cameras are drawn when this is first read, so that a
   * policy with a queue of actions pays only for the images it looks at.
   */
  readonly arrays: Readonly<Record<string, HostArray>>;
}

/** What one action led to. */
export interface StepResult {
  readonly observation: Observation;
  readonly reward: number;
  /** the episode has ended by what happened in it, well or badly */
  readonly terminated: boolean;
  /** the episode has ended by its limit of steps */
  readonly truncated: boolean;
  /** the task is done; only ever true together with `terminated` */
  readonly success: boolean;
}

export interface EnvironmentCamera {
  /** feature name, such as `observation.images.top` */
  readonly name: string;
  readonly width: number;
  readonly height: number;
}

/** What goes into a policy and comes out of it. */
export interface EnvironmentFeatures {
  /** names of the S entries of `observation.state` */
  readonly stateNames: readonly string[];
  /** names of the M entries of an action */
  readonly actionNames: readonly string[];
  readonly cameras: readonly EnvironmentCamera[];
}

/** A simulated world with one robot in it. A function of its options, the seeds of its resets and the actions, nothing else. */
export interface Environment {
  /** name and version; numbers of different versions must not be compared */
  readonly id: string;
  /** the instruction in natural language */
  readonly task: string;
  /** steps per second, rounded, as LeRobot's datasets want it */
  readonly fps: number;
  /** an episode that is not over by then is truncated */
  readonly maxSteps: number;
  readonly features: EnvironmentFeatures;
  /** all ways in which the task can be done; none if the world does not tell ways apart */
  readonly modes: readonly string[];
  /** the way of the current episode as far as it is decided; one of `modes` once it is decided wholly */
  readonly mode: string;
  /**
   * Starts an episode.
   *
   * @param seed a whole number of at least 0
   * @throws ConfigError for another seed
   */
  reset(seed: number): Observation;
  /**
   * Carries out one action, in the robot's units. Nothing is clipped.
   *
   * @param action M numbers
   * @throws ShapeError for another number of entries
   * @throws ConfigError if an entry is not finite, or no episode is going on
   */
  step(action: ArrayLike<number>): StepResult;
  /** The world as it is now: uint8 `[3, size, size]`. @throws ConfigError for a size that is no whole number in [16, 4096] */
  render(size: number): HostArray;
}

/** An observation whose cameras are drawn when they are first asked for. */
export function lazyObservation(state: HostArray, drawCameras: () => Readonly<Record<string, HostArray>>): Observation {
  const arrays = once(() => ({ "observation.state": state, ...drawCameras() }));
  return {
    state,
    get arrays() {
      return arrays();
    },
  };
}
