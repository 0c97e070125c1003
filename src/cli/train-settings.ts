import { describeSettings, type SettingDescription } from "../train/describe-settings.js";
import type { SettingSpec } from "./command.js";

/** Whether a setting changes anything here; the others are understood for LeRobot's sake. */
const isEffective = ({ description }: SettingDescription): boolean =>
  !/^(kept for LeRobot|not available|always|the only)/.test(description);

const withDefault = (setting: SettingDescription): string =>
  setting.default === undefined || setting.default === "null"
    ? setting.description
    : `${setting.description} (${setting.default.replace(/^"(.*)"$/, "$1")})`;

/** The settings of a training run that its help lists. */
export const TRAIN_SETTINGS: readonly SettingSpec[] = describeSettings()
  .filter(isEffective)
  .map((setting) => ({ name: setting.name, description: withDefault(setting) }));
