/** Recording of LeRobot datasets. */

export type { RecordedFrame } from "./check-frame.js";
export { DatasetWriter, type DatasetWriterOptions } from "./dataset-writer.js";
export type { FeatureDeclaration, RecordedDType } from "./recorded-feature.js";
