import { ConfigError, ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import {
  type Environment,
  type EnvironmentFeatures,
  lazyObservation,
  type Observation,
  type StepResult,
} from "../environment.js";
import { expectInteger } from "../expect-integer.js";
import { SeededRandom } from "../seeded-random.js";
import { type AvoidingOptions, type AvoidingSettings, avoidingSettings } from "./avoiding-options.js";
import { AVOIDING_MODES, ModeRecorder } from "./mode-recorder.js";
import { renderScene } from "./render-scene.js";
import { CONTROL_PERIOD_S, FINISH, type Point, START } from "./scene.js";
import { touchesObstacle } from "./touches-obstacle.js";

/**
 * The world `avoiding-ts/1`: a rod is moved past three levels of obstacles over a finish line, in any of 24 ways.
 *
 * An action `[2]` is the increment of the commanded position. In one period of 35 ms the rod goes the share `tracking` of the
 * way to the commanded position: `measured += tracking * (commanded - measured)`. The state `[4]` is the commanded and the
 * measured position. Contact with an obstacle anywhere on the way ends the episode as a failure, a measured position beyond
 * the finish line as a success; after both, whatever came first counts, and that is the contact, as all obstacles stand
 * before the line. The reward is 1 for success, else 0.
 *
 * With `upstreamLag` a step looks before it moves: its measured position, contact and success are those that the step before
 * it led to. The mode is always up to date.
 *
 * Numbers of this world are not those of D3IL's "Avoiding", which has a robot arm with its own dynamics.
 */
export class Avoiding implements Environment {
  readonly id = "avoiding-ts/1";
  readonly task = "Move the rod across the finish line without touching an obstacle.";
  readonly fps = Math.round(1 / CONTROL_PERIOD_S);
  readonly maxSteps: number;
  readonly features: EnvironmentFeatures;
  readonly modes = AVOIDING_MODES;
  readonly #settings: AvoidingSettings;
  #commandedX = START[0];
  #commandedY = START[1];
  #measuredX = START[0];
  #measuredY = START[1];
  #hasTouched = false;
  #numSteps = 0;
  #modes = new ModeRecorder();
  #episode: "none yet" | "going on" | "one that is over" = "none yet";

  /** @throws ConfigError for an option out of range */
  constructor(options: AvoidingOptions = {}) {
    this.#settings = avoidingSettings(options);
    const { maxSteps, imageSize, camera } = this.#settings;
    this.maxSteps = maxSteps;
    this.features = {
      stateNames: ["commanded_x", "commanded_y", "measured_x", "measured_y"],
      actionNames: ["delta_x", "delta_y"],
      cameras: [{ name: camera, width: imageSize, height: imageSize }],
    };
  }

  /** A world with options as a user gave them. @throws ConfigError */
  static fromOptions(options: unknown): Avoiding {
    return new Avoiding(avoidingSettings(options));
  }

  get mode(): string {
    return this.#modes.word;
  }

  /** in double precision; the state has it rounded */
  get commanded(): Point {
    return [this.#commandedX, this.#commandedY];
  }

  /** where the rod is by now, in double precision; observations may lag behind */
  get measured(): Point {
    return [this.#measuredX, this.#measuredY];
  }

  reset(seed: number): Observation {
    expectInteger("env avoiding", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
    const { startNoise } = this.#settings;
    let [x, y] = START;
    if (startNoise > 0) {
      const random = new SeededRandom(seed, "avoiding start");
      x += startNoise * (2 * random.uniform() - 1);
      y += startNoise * (2 * random.uniform() - 1);
    }
    this.#commandedX = this.#measuredX = x;
    this.#commandedY = this.#measuredY = y;
    this.#hasTouched = false;
    this.#numSteps = 0;
    this.#modes = new ModeRecorder();
    this.#episode = "going on";
    return this.#observe();
  }

  step(action: ArrayLike<number>): StepResult {
    this.#command(action);
    if (!this.#settings.upstreamLag) this.#move();
    const observation = this.#observe();
    const success = !this.#hasTouched && this.#measuredY > FINISH.y;
    const terminated = success || this.#hasTouched;
    if (this.#settings.upstreamLag) this.#move();
    this.#numSteps += 1;
    const truncated = !terminated && this.#numSteps >= this.maxSteps;
    if (terminated || truncated) this.#episode = "one that is over";
    return { observation, reward: success ? 1 : 0, terminated, truncated, success };
  }

  render(size: number): HostArray {
    return renderScene(size, [this.#measuredX, this.#measuredY]);
  }

  #command(action: ArrayLike<number>): void {
    if (this.#episode !== "going on") {
      throw new ConfigError(
        "env avoiding",
        `expected an episode that is going on, got ${this.#episode}. Call reset first`,
      );
    }
    if (action.length !== 2)
      throw new ShapeError(`env avoiding: expected an action of 2 entries, got ${action.length}`);
    const [x, y] = [this.#commandedX + action[0]!, this.#commandedY + action[1]!];
    // The state is float32, so a position that float32 cannot hold is none either.
    if (!Number.isFinite(Math.fround(x)) || !Number.isFinite(Math.fround(y))) {
      throw new ConfigError("env avoiding", `expected an action of finite entries, got [${action[0]}, ${action[1]}]`);
    }
    this.#commandedX = x;
    this.#commandedY = y;
  }

  /** One control period. */
  #move(): void {
    const { tracking } = this.#settings;
    const [fromX, fromY] = [this.#measuredX, this.#measuredY];
    // A rod that follows wholly is exactly where it was sent, without rounding.
    this.#measuredX = tracking === 1 ? this.#commandedX : fromX + tracking * (this.#commandedX - fromX);
    this.#measuredY = tracking === 1 ? this.#commandedY : fromY + tracking * (this.#commandedY - fromY);
    this.#hasTouched ||= touchesObstacle(fromX, fromY, this.#measuredX, this.#measuredY);
    this.#modes.visit(this.#measuredX, this.#measuredY);
  }

  #observe(): Observation {
    const [x, y] = [this.#measuredX, this.#measuredY];
    const { camera, imageSize } = this.#settings;
    const state: HostArray = {
      dtype: "float32",
      shape: [4],
      data: Float32Array.of(this.#commandedX, this.#commandedY, x, y),
    };
    return lazyObservation(state, () => ({ [camera]: renderScene(imageSize, [x, y]) }));
  }
}
