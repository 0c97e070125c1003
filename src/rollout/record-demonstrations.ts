import { DatasetWriter, type FeatureDeclaration } from "../data/writer/index.js";
import { type Environment, makeDemonstration, makeEnvironment } from "../env/index.js";

export interface RecordingRequest {
  readonly type: string;
  /** of the world, as a user gave them */
  readonly options: Readonly<Record<string, unknown>>;
  readonly numEpisodes: number;
  /** episode i is demonstrated with `seed + i` */
  readonly seed: number;
  /** the dataset's folder */
  readonly root: string;
  readonly overwrite: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEpisode?: (done: number) => void;
}

export interface Recording {
  readonly numEpisodes: number;
  readonly numFrames: number;
  /** episodes by the way they went */
  readonly modes: Readonly<Record<string, number>>;
}

/**
 * Records scripted demonstrations of a built-in world as a LeRobot dataset. Each frame holds what was seen before its action.
 *
 * @returns what was recorded; undefined if it was asked to stop before the end, which leaves no dataset
 * @throws ConfigError, DatasetError if the world or the place cannot be used
 */
export async function recordDemonstrations(request: RecordingRequest): Promise<Recording | undefined> {
  const { type, options, numEpisodes, seed, root, overwrite } = request;
  const world = makeEnvironment(type, options);
  const modes = Object.fromEntries(world.modes.map((mode) => [mode, 0]));
  await using writer = await DatasetWriter.create({
    root,
    overwrite,
    fps: world.fps,
    robotType: world.id,
    features: featuresOf(world),
  });
  for (let episode = 0; episode < numEpisodes; episode++) {
    if (request.signal?.aborted) return undefined;
    const { observations, actions, mode } = makeDemonstration(type, seed + episode, options);
    for (const [step, action] of actions.entries()) {
      await writer.addFrame({ task: world.task, arrays: { ...observations[step]!.arrays, action } });
    }
    await writer.saveEpisode();
    modes[mode] = (modes[mode] ?? 0) + 1;
    request.onEpisode?.(episode + 1);
  }
  await writer.finish();
  return { numEpisodes: writer.numEpisodes, numFrames: writer.numFrames, modes };
}

const featuresOf = ({ features }: Environment): Readonly<Record<string, FeatureDeclaration>> => ({
  "observation.state": { dtype: "float32", shape: [features.stateNames.length], names: features.stateNames },
  action: { dtype: "float32", shape: [features.actionNames.length], names: features.actionNames },
  ...Object.fromEntries(
    features.cameras.map(({ name, width, height }) => [name, { dtype: "video" as const, shape: [height, width, 3] }]),
  ),
});
