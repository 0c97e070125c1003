import type { Environment } from "../../env/index.js";
import { episodeFrames, type RecordedEpisode } from "./episode-frames.js";
import { writeVideo } from "./write-video.js";

/** Edge of the pictures if nobody says otherwise, as of LeRobot's simulated worlds. */
export const VIDEO_SIZE = 384;

/**
 * A video of an episode: its pictures (`episodeFrames`) at the world's pace. Nothing has to be kept while the episode runs.
 *
 * @param world one with the options that the episode had, and that nobody else uses; it is reset
 * @param size edge of the pictures, even, 16 to 4096
 * @throws ConfigError if the world is another one, or the file cannot be written
 */
export async function writeEpisodeVideo(
  file: string,
  episode: RecordedEpisode,
  world: Environment,
  size = VIDEO_SIZE,
): Promise<void> {
  await writeVideo(file, episodeFrames(episode, world, size), world.fps);
}
