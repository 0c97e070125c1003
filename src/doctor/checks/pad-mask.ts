import { type Check, fault, ok, percent } from "../check.js";

/** Names by which programs have looked for the mask in vain. */
const MISSPELT = /^actions?_(is|id)_pad$|^actions_is_pad$/;

export const padMask: Check = {
  id: "pad-mask",
  title: "Steps beyond an episode's end are marked, under the name action_is_pad",
  needs: ["dataset"],
  after: ["dataset-files", "dataset-features"],
  run: ({ observations, dataset }) => {
    const odd = [...dataset!.metadata!.features.keys()].filter((name) => MISSPELT.test(name));
    if (odd.length > 0) {
      return fault(
        `the dataset has a feature of its own named ${odd.join(", ")}`,
        "The mask is made from the episodes' ends as action_is_pad, and a feature of that kind is read by nobody. Remove it",
      );
    }
    const mask = observations.arrays.action_is_pad;
    if (mask === undefined) return fault("items come without action_is_pad", "Give a dataset with actions");
    const marked = (mask.data as Uint8Array).reduce((count, flag) => count + flag, 0);
    return ok(
      `${percent(marked / mask.data.length)} of the steps looked at are beyond an end. Generated chunks have no such steps`,
    );
  },
};
