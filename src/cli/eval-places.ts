import { join } from "node:path";
import type { EvalConfig } from "./eval-settings.js";

export interface EvalPlaces {
  readonly file: string;
  /** folder of videos */
  readonly videos: string;
}

/** Where an evaluation goes: a folder as LeRobot's, or one file with its videos in a folder of the same name. */
export function evalPlaces({ outputFile, outputDir, environment }: EvalConfig): EvalPlaces {
  if (outputFile !== undefined) return { file: outputFile, videos: `${outputFile.replace(/\.json$/, "")}_videos` };
  const folder = outputDir ?? defaultFolder(environment.type);
  return { file: join(folder, "eval_info.json"), videos: join(folder, "videos") };
}

const twoDigits = (n: number): string => String(n).padStart(2, "0");

/** `outputs/eval/<YYYY-MM-DD>/<HH-MM-SS>_<env>`, local time, as LeRobot names evaluations. */
function defaultFolder(environment: string): string {
  const now = new Date();
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join("-");
  return `outputs/eval/${date}/${time}_${environment}`;
}
