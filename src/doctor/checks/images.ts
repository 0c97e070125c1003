import type { HostArray } from "../../support/host-array.js";
import { type Check, fault, ok } from "../check.js";
import type { Patient } from "../patient.js";

const resizeOf = ({ config }: Patient): string => JSON.stringify(config!.resizeImgsWithPadding ?? null);

/** Range of a camera's values, as the network takes them before it maps [0, 1] to [-1, 1]. */
function rangeOf({ dtype, data }: HostArray): readonly [number, number] {
  const scale = dtype === "uint8" ? 255 : 1;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data as Uint8Array) {
    low = Math.min(low, value / scale);
    high = Math.max(high, value / scale);
  }
  return [low, high];
}

export const images: Check = {
  id: "images",
  title: "Images are in [0, 1], not normalised, and resized alike",
  after: ["teacher-files", "student-files", "dataset-files", "normalization-modes"],
  run: ({ teacher, student, dataset, patients }) => {
    for (const { config, role } of patients) {
      const mode = config!.normalizationMapping.VISUAL ?? "IDENTITY";
      if (mode !== "IDENTITY") {
        return fault(
          `VISUAL is ${mode} in the ${role}'s config.json`,
          "SmolVLA maps images from [0, 1] to [-1, 1] itself. Set VISUAL to IDENTITY, and train again what was trained otherwise",
        );
      }
    }
    if (student !== undefined && resizeOf(student) !== resizeOf(teacher)) {
      return fault(
        `resize_imgs_with_padding ${resizeOf(student)} in the student, ${resizeOf(teacher)} in the teacher`,
        "Take the teacher's resize_imgs_with_padding",
      );
    }
    const seen = Object.entries(dataset?.observations?.arrays ?? {}).filter(([name]) =>
      name.startsWith("observation.image"),
    );
    const ranges = seen
      .filter(([name]) => !name.endsWith("_is_pad"))
      .map(([name, array]) => ({ name, range: rangeOf(array) }));
    const beyond = ranges.find(({ range: [low, high] }) => low < 0 || high > 1 || Number.isNaN(low + high));
    if (beyond !== undefined) {
      return fault(
        `${beyond.name} of the dataset has values from ${beyond.range[0]} to ${beyond.range[1]}`,
        "Record images as uint8, or as floats in [0, 1]",
      );
    }
    const shown = ranges.map(({ name, range: [low, high] }) => `${name} from ${low.toFixed(2)} to ${high.toFixed(2)}`);
    return ok([`resized to ${resizeOf(teacher)}`, ...shown].join("; "));
  },
};
