import { describe, expect, it } from "vitest";
import { featuresFromDataset } from "./config-features.js";

describe("featuresFromDataset", () => {
  it("sorts a dataset's features by kind and turns images channel-first", () => {
    const image = { dtype: "video", shape: [48, 64, 3], names: ["height", "width", "channels"] };
    expect(
      featuresFromDataset({
        "observation.state": { dtype: "float32", shape: [3] },
        "observation.environment_state": { dtype: "float32", shape: [4] },
        action: { dtype: "float32", shape: [2] },
        "action.extra": { dtype: "float32", shape: [1] },
        "observation.images.top": image,
        "observation.images.old": { ...image, dtype: "image", names: ["height", "width", "channel"] },
        "observation.images.first": { ...image, shape: [3, 48, 64], names: ["channels", "height", "width"] },
        timestamp: { dtype: "float32", shape: [1] },
        index: { dtype: "int64", shape: [1] },
      }),
    ).toEqual({
      "observation.state": { type: "STATE", shape: [3] },
      "observation.environment_state": { type: "ENV", shape: [4] },
      action: { type: "ACTION", shape: [2] },
      "action.extra": { type: "ACTION", shape: [1] },
      "observation.images.top": { type: "VISUAL", shape: [3, 48, 64] },
      "observation.images.old": { type: "VISUAL", shape: [3, 48, 64] },
      "observation.images.first": { type: "VISUAL", shape: [3, 48, 64] },
    });
  });

  it("refuses images whose axes are unclear", () => {
    expect(() => featuresFromDataset({ image: { dtype: "image", shape: [48, 64], names: null } })).toThrow(
      'feature "image": expected an image shape of 3 sizes, got [48, 64]',
    );
    expect(() => featuresFromDataset({ image: { dtype: "image", shape: [48, 64, 3], names: null } })).toThrow(
      'feature "image": expected the names of its 3 axes, such as ["height", "width", "channels"], got null',
    );
  });
});
