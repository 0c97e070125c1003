/** Where an episode's frames of one camera are. */
export interface EpisodeVideo {
  /** path of the video file on this machine; several episodes may share it */
  readonly path: string;
  /** time of the episode's first frame in that file, in seconds */
  readonly fromTimestampS: number;
  /** end of the episode's last frame, where the dataset says it */
  readonly toTimestampS: number | undefined;
}

/** One recorded episode: the frames `from` to `to` of the whole dataset. */
export interface EpisodeMetadata {
  readonly index: number;
  /** number of frames, `to - from` */
  readonly length: number;
  /** first frame, counted over the dataset */
  readonly from: number;
  /** one after the last frame */
  readonly to: number;
  /** path of the parquet file with the episode's frames; several episodes may share it */
  readonly dataPath: string;
  /** by camera feature; a camera may be absent */
  readonly videos: ReadonlyMap<string, EpisodeVideo>;
}
