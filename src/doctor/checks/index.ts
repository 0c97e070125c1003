import type { Check } from "../check.js";
import { actionUnits } from "./action-units.js";
import { averaging } from "./averaging.js";
import { deployment } from "./deployment.js";
import { aloha, datasetFeatures, studentFeatures, studentSettings } from "./features.js";
import { datasetFiles, studentFiles, teacherFiles } from "./files.js";
import { frozenWeights } from "./frozen-weights.js";
import { images } from "./images.js";
import { language } from "./language.js";
import { lineage } from "./lineage.js";
import { forwardPaths, modes, noiseIntact, numericTypes } from "./network.js";
import { padMask } from "./pad-mask.js";
import { noiseWidth, paddedLoss, paddedOutput } from "./padding.js";
import { agreement, noiseResponse, spread, studentSteps } from "./samples.js";
import { savedCopy } from "./saved-copy.js";
import { pairSteps, teacherSteps } from "./solver.js";
import {
  datasetStatistics,
  normalisedSize,
  normalizationModes,
  sameStatistics,
  studentStatistics,
  teacherStatistics,
} from "./statistics.js";
import { trainedTimes } from "./times.js";
import { augmentation, learningRate } from "./training-record.js";
import { studentTime, teacherTime, teacherTrained, zeroField } from "./velocity.js";
import { learnt, studentWeights, teacherWeights } from "./weights.js";

/** All checks, causes before what they cause. */
export const CHECKS: readonly Check[] = [
  // what the folders say
  teacherFiles,
  studentFiles,
  datasetFiles,
  teacherStatistics,
  studentStatistics,
  normalizationModes,
  sameStatistics,
  studentFeatures,
  studentSettings,
  datasetFeatures,
  datasetStatistics,
  normalisedSize,
  aloha,
  images,
  language,
  padMask,
  // what they say of their making
  lineage,
  deployment,
  trainedTimes,
  learningRate,
  augmentation,
  // weights and network
  teacherWeights,
  studentWeights,
  learnt,
  frozenWeights,
  averaging,
  noiseWidth,
  paddedLoss,
  modes,
  numericTypes,
  noiseIntact,
  forwardPaths,
  savedCopy,
  // what they do
  teacherTrained,
  teacherTime,
  paddedOutput,
  teacherSteps,
  pairSteps,
  actionUnits,
  zeroField,
  studentTime,
  noiseResponse,
  spread,
  agreement,
  studentSteps,
];
