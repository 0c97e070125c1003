/** Pictures of cameras have less, and a file of some kilobytes may say that it has a thousand times as many. */
export const MOST_PIXELS = 8192 * 8192;
