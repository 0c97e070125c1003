/** Whether student, teacher and dataset speak of the same things. */
import { isDeepStrictEqual } from "node:util";
import { featuresFromDataset, imageFeatureNames, type SmolVLAConfig, toSmolVLAJson } from "../../smolvla/config.js";
import { DatasetError } from "../../support/errors.js";
import { checkFeatures } from "../../train/check-features.js";
import { isNetworkField, mayDifferFromTeacher } from "../../train/config-policy-fields.js";
import { type Check, fault, ok, warning } from "../check.js";

const shapesOf = (features: SmolVLAConfig["inputFeatures"]): string =>
  Object.entries(features)
    .map(([name, { shape }]) => `${name} [${shape.join(", ")}]`)
    .sort()
    .join(", ");

const FACTS: Readonly<Record<string, (config: SmolVLAConfig) => unknown>> = {
  chunk_size: ({ chunkSize }) => chunkSize,
  max_action_dim: ({ maxActionDim }) => maxActionDim,
  max_state_dim: ({ maxStateDim }) => maxStateDim,
  "camera order": (config) => imageFeatureNames(config).join(", "),
  "input features": ({ inputFeatures }) => shapesOf(inputFeatures),
  "output features": ({ outputFeatures }) => shapesOf(outputFeatures),
  empty_cameras: ({ emptyCameras }) => emptyCameras,
};

export const studentFeatures: Check = {
  id: "student-features",
  title: "The student has its teacher's features, order of cameras, widths and chunk size",
  needs: ["student"],
  after: ["teacher-files", "student-files"],
  run: ({ teacher, student }) => {
    const differing = Object.entries(FACTS).flatMap(([name, of]) => {
      const [mine, theirs] = [of(student!.config!), of(teacher.config!)];
      return mine === theirs ? [] : [`${name}: ${mine} (the teacher's: ${theirs})`];
    });
    const { chunkSize, maxActionDim, outputFeatures } = student!.config!;
    return differing.length === 0
      ? ok(
          `chunks of ${chunkSize}, ${shapesOf(outputFeatures)} padded to ${maxActionDim}, ${FACTS["camera order"]!(student!.config!)}`,
        )
      : fault(
          differing.join("; "),
          "A student reads and acts as its teacher does. Take these from the teacher's config.json",
        );
  },
};

/** What other checks look at. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  ...["n_obs_steps", "chunk_size", "max_action_dim", "max_state_dim", "input_features", "output_features"],
  ...["empty_cameras", "normalization_mapping", "resize_imgs_with_padding", "adapt_to_pi_aloha"],
  ...["tokenizer_max_length", "pad_language_to"],
]);

export const studentSettings: Check = {
  id: "student-settings",
  title: "What else config.json says of the network is its teacher's",
  needs: ["student"],
  after: ["teacher-files", "student-files"],
  run: ({ teacher, student }) => {
    const [mine, theirs] = [student, teacher].map((patient) => JSON.parse(toSmolVLAJson(patient!.config!))) as [
      Record<string, unknown>,
      Record<string, unknown>,
    ];
    const differing = Object.keys(theirs).filter(
      (name) => !ELSEWHERE.has(name) && !mayDifferFromTeacher(name) && !isDeepStrictEqual(mine[name], theirs[name]),
    );
    const text = differing
      .map((name) => `${name} ${JSON.stringify(mine[name])} (the teacher's: ${JSON.stringify(theirs[name])})`)
      .join("; ");
    if (differing.some((name) => !isNetworkField(name))) {
      return fault(text, "These change what the same weights compute. Take them from the teacher's config.json");
    }
    return ok(differing.length === 0 ? "equal" : `a network of another size: ${text}`);
  },
};

export const datasetFeatures: Check = {
  id: "dataset-features",
  title: "The dataset shows and records what the teacher sees and does",
  needs: ["dataset"],
  after: ["dataset-files", "teacher-files"],
  run: ({ teacher, dataset }) => {
    const { metadata, renameMap } = dataset!;
    const remedy = "Give the dataset that the teacher was trained on, or the names with --rename_map";
    try {
      const warnings = checkFeatures(metadata!, teacher.config!, renameMap);
      if (warnings.length > 0) return warning(warnings.join("; "), remedy);
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error;
      return fault(error.message.split("\n")[0]!.replace(/^train: /, ""), remedy);
    }
    const offered = featuresFromDataset(Object.fromEntries(metadata!.features.entries()));
    return ok(Object.keys(offered).join(", "));
  },
};

/** Joints of two Aloha arms. */
const ALOHA_DIMS = 14;

export const aloha: Check = {
  id: "aloha",
  title: "adapt_to_pi_aloha is the same in both, and only set for Aloha robots",
  after: ["teacher-files", "student-files", "student-features"],
  run: ({ teacher, student }) => {
    const [theirs, mine] = [teacher.config!.adaptToPiAloha, student?.config?.adaptToPiAloha];
    if (mine !== undefined && mine !== theirs) {
      return fault(`${mine} in the student, ${theirs} in the teacher`, "Take the teacher's adapt_to_pi_aloha");
    }
    const width = teacher.config!.outputFeatures.action?.shape[0];
    if (theirs && width !== ALOHA_DIMS) {
      return fault(
        `true, but the policy has ${width} action dimensions`,
        `The conversion is of the ${ALOHA_DIMS} joints of two Aloha arms. Set adapt_to_pi_aloha to false for another robot`,
      );
    }
    return ok(String(theirs));
  },
};
