import { createHash } from "node:crypto";
import { bytesOf, type HostArray } from "../../support/host-array.js";

/** Arrays by name as type, shape and hash: comparing frames entry by entry takes a test runner seconds. */
export const fingerprint = (arrays: Readonly<Record<string, HostArray>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => {
      const hash = createHash("sha1").update(bytesOf(array)).digest("hex");
      return [name, `${array.dtype} [${array.shape.join(", ")}] ${hash}`];
    }),
  );
