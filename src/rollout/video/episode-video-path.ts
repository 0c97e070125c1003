/** Where LeRobot 0.4.4 puts the video of an episode, in the folder of videos: `<group>_<task>/eval_episode_<index>.mp4`. */
export const episodeVideoPath = (taskGroup: string, index: number): string =>
  `${taskGroup}_0/eval_episode_${index}.mp4`;
