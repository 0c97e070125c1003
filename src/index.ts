/**
 * SmolVLA robot policies and their rectified flows, in TypeScript on libtorch: the library's public names. What is not
 * named here is internal and may change.
 */

// Several policies against one teacher.
export {
  type ClosedLoopComparison,
  type ClosedLoopRequest,
  type ClosedLoopRow,
  COMPARISON_FILE,
  COMPARISON_FORMAT,
  type ComparedPolicy,
  type Comparison,
  type ComparisonRun,
  type ComparisonSettings,
  compareClosedLoop,
  compareOffline,
  DEFAULT_MARGINS,
  type FlowPaths,
  type FlowShape,
  judge,
  type Margins,
  type ObservedFlow,
  type OfflineComparison,
  type OfflinePart,
  type OfflineRequest,
  type OfflineRow,
  type OpenedFlow,
  type OpenedPolicy,
  policyFlow,
  readComparison,
  runComparison,
  sampleFrames,
  type Verdict as ComparisonVerdict,
} from "./compare/index.js";
// Datasets in LeRobot's formats.
export {
  BatchSampler,
  type BatchSamplerOptions,
  collate,
  type DatasetBatch,
  type DatasetItem,
  type DatasetMetadata,
  type DatasetStats,
  LeRobotDataset,
  type LeRobotDatasetOptions,
  readDatasetMetadata,
} from "./data/index.js";
export {
  DatasetWriter,
  type DatasetWriterOptions,
  type FeatureDeclaration,
  type RecordedFrame,
} from "./data/writer/index.js";
// What is wrong with a policy.
export { type DiagnoseRequest, type Diagnosis, diagnose, type Verdict } from "./doctor/index.js";
// Built-in worlds, and policies in closed loop with them.
export * from "./env/index.js";
// Measures of trained policies.
export * from "./eval/index.js";
// Flow mathematics, on any velocity field. Time 1 is noise, time 0 is actions.
export * from "./flow/index.js";
// The Hub: downloads and uploads.
export { type FolderRequest, resolveFolder } from "./hub/resolve-folder.js";
export { type HubSettings, readHubSettings } from "./hub/settings.js";
export { type Uploaded, type UploadRequest, uploadFolder } from "./hub/upload-folder.js";
// Training: objectives, and what follows their gradients.
export {
  AdamW,
  type AdamWOptions,
  type CosineDecayOptions,
  clipGradients,
  cosineDecayWithWarmup,
  Ema,
  type EmaOptions,
  type Moments,
} from "./optim/index.js";
// Policies: observation in, actions out.
export { findPolicyFolder } from "./policy/find-policy-folder.js";
export { type FeatureReport, inspectPolicy, type PolicyReport } from "./policy/inspect-policy.js";
export type { WeightMisfits, WeightsReport } from "./policy/inspect-weights.js";
export { type ModelCardInput, modelCard } from "./policy/model-card.js";
// The network and its configuration.
export { cropActions, toModelInput, toTargetActions } from "./policy/model-input.js";
export { type CheckedObservation, checkNoise, checkObservation } from "./policy/observation-file.js";
export { type PolicyJson, readPolicyConfig, readPolicyJson } from "./policy/policy-files.js";
// Processors: what happens to observations before the network, and to actions after it.
export { loadProcessorPipeline } from "./policy/processors/load-pipeline.js";
export { makeProcessorPipelines } from "./policy/processors/make-pipelines.js";
export { type MissingStatistic, missingStatistics } from "./policy/processors/missing-statistics.js";
export type {
  ProcessorPipeline,
  ProcessorPipelines,
  ProcessorStep,
  Statistics,
} from "./policy/processors/pipeline.js";
export { type ProcessorBatch, runPostprocessor, runPreprocessor } from "./policy/processors/run-pipeline.js";
export { saveProcessorPipeline } from "./policy/processors/save-pipeline.js";
export { CONVENTIONS, type Provenance, readProvenance, writeProvenance } from "./policy/provenance.js";
export { type PushRequest, pushPolicy } from "./policy/push-policy.js";
export {
  type LoadOptions,
  type Prediction,
  type PredictOptions,
  SmolVLAPolicy,
} from "./policy/smolvla-policy.js";
// What a run leaves behind, and dashboards.
export { type LogSink, openLogSinks } from "./records/index.js";
export { readRecords } from "./records/read-records.js";
export type { RunEvent, RunRecord } from "./records/run-event.js";
export * from "./rollout/index.js";
export type { Prefix } from "./smolvla/action-expert.js";
export { fromCheckpointName, toCheckpointName } from "./smolvla/checkpoint-names.js";
export {
  actionDim,
  featuresFromDataset,
  imageFeatureNames,
  type NormalizationMode,
  type PolicyFeature,
  type PolicyFeatures,
  parseSmolVLAConfig,
  type SmolVLAConfig,
  stateDim,
  toSmolVLAJson,
  withDatasetFeatures,
} from "./smolvla/config.js";
export { type BuildOptions, describeSmolVLA, initializeSmolVLA, loadSmolVLA, saveSmolVLA } from "./smolvla/load.js";
// Adapters (LoRA) in PEFT's format.
export {
  adapterRule,
  addAdapter,
  loadAdapter,
  mergeAdapter,
  type SaveAdapterOptions,
  saveAdapter,
} from "./smolvla/lora-adapter.js";
export { DEFAULT_LORA, EXPERT_TARGETS, LEROBOT_TARGETS, type LoraConfig } from "./smolvla/lora-config.js";
export type { Precision } from "./smolvla/precision.js";
export type { ModelInput, SmolVLA } from "./smolvla/smolvla.js";
export { type FreezePattern, freezeRule, isTrainable } from "./smolvla/trainable.js";
export type { Context } from "./smolvla/vision-language-model.js";
export { parseVlmConfig, SMOLVLM2_500M, type VlmConfig } from "./smolvla/vlm-config.js";
// Errors, one class per thing that a caller can do about it.
export {
  CheckpointError,
  ConfigError,
  type ConfigProblem,
  DatasetError,
  DivergedError,
  HubError,
  isUserError,
  ShapeError,
  TorchError,
} from "./support/errors.js";
// Arrays in JavaScript memory, and files of them.
export { type HostArray, type HostDType, hostArray, numbersOf } from "./support/host-array.js";
export {
  readSafetensors,
  readSafetensorsHeader,
  type SafetensorsSource,
  sourceOf,
  writeSafetensors,
} from "./support/safetensors.js";

// Tensors, gradients and lifetimes. The operators are functions of libtorch's names.
export * as torch from "./torch/index.js";
export {
  backward,
  type DType,
  defaultDevice,
  Generator,
  isDeviceAvailable,
  noGrad,
  scope,
  setNumThreads,
  Tensor,
  tensor,
  tensorFromHost,
  torchVersion,
} from "./torch/index.js";
// Training runs: from settings to a loop of events, as the command line drives it.
export { parseTrainConfig, type TrainConfig } from "./train/config.js";
export type { Coupling, Pairs } from "./train/couplings/coupling.js";
export { demonstrations } from "./train/couplings/demonstrations.js";
export { carryNoise, type PaddedDims, type TeacherOptions, teacherPairs } from "./train/couplings/teacher.js";
export { describeFinding, type Finding, HealthWatch, WeightProbe } from "./train/health/index.js";
export type { LoopEvent } from "./train/loop.js";
export { timesOf } from "./train/objectives/make-objective.js";
export type { Figure, Objective, StepLoss, TrainingBatch } from "./train/objectives/objective.js";
export { type Problem, VelocityMatching, type VelocityMatchingOptions } from "./train/objectives/velocity-matching.js";
export { PairSet } from "./train/pairs/pair-set.js";
export { openRunFolder, type RunFolder } from "./train/run-folder.js";
export { type StartOptions, startTraining, type TrainingRun } from "./train/start-training.js";
