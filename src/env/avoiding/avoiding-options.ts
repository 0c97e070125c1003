import { z } from "zod";
import { parseWithSchema } from "../../support/parse-with-schema.js";

const SCHEMA = z.strictObject({
  /** edge of the camera's image, in pixels */
  imageSize: z.int().min(16).max(4096).default(96),
  /** feature name of the camera */
  camera: z
    .string()
    .regex(/^observation\.image(s\.[^/.]+)?$/, {
      error: ({ input }) => `expected a camera's name, such as observation.images.front, got ${JSON.stringify(input)}`,
    })
    .default("observation.images.top"),
  /** the rod begins at a uniformly random place up to this far from the usual one in x and in y, in metres */
  startNoise: z.number().min(0).max(0.05).default(0),
  /** share of the way to the commanded position that the rod goes in one step */
  tracking: z.number().gt(0).max(1).default(1),
  /** measured position, contact and success are reported one step late, as in D3IL */
  upstreamLag: z.boolean().default(true),
  /** an episode that is not over by then is truncated */
  maxSteps: z.int().min(1).max(1_000_000).default(250),
});

export type AvoidingOptions = z.input<typeof SCHEMA>;
export type AvoidingSettings = Readonly<z.output<typeof SCHEMA>>;

/** Options with their defaults. @throws ConfigError naming every one that is unknown or out of range */
export const avoidingSettings = (options: unknown): AvoidingSettings =>
  parseWithSchema<AvoidingSettings>(SCHEMA, options, "env avoiding");
