import { resolve } from "node:path";
import type { DatasetMetadata } from "../data/index.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { type Provenance, readProvenance } from "../policy/provenance.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { once } from "../support/once.js";
import type { TrainConfig } from "./config.js";
import { splitEpisodes } from "./held-out.js";
import { isTrainedFor, mostStepsTrainedFor } from "./is-trained-for.js";
import { reflow } from "./objectives/make-objective.js";
import type { PairManifest } from "./pairs/pair-manifest.js";
import { framesOf, pairFacts } from "./pairs/pair-requirements.js";
import { PairSet } from "./pairs/pair-set.js";
import { loadOptions, readConfigs } from "./policy-configs.js";
import type { PreparedPolicy } from "./prepare-policy.js";
import { commonProvenance, expectSameTeacher, type RunProvenance, weightsHash } from "./run-provenance.js";
import { makeStudent } from "./student.js";

/** Teacher, student and objective of a reflow run. Processors and statistics are the teacher's. */
export async function prepareReflow(
  config: TrainConfig,
  dataset: DatasetMetadata,
  seed: number,
  checkpoint: string | undefined,
): Promise<PreparedPolicy> {
  const folder = await findPolicyFolder(config.policy.teacherModelPath!);
  const { own } = await readConfigs(folder, config);
  const teacher = await SmolVLAPolicy.load(folder, loadOptions(config));
  const earlier = await readProvenance(folder);
  const teacherRound = earlier?.k ?? 1;
  const student = await makeStudent(config, teacher, folder, own, seed);
  const hash = once(() => weightsHash(folder));
  const stored = config.reflow.pairs ? await openPairs(config, dataset, teacher, await hash()) : undefined;
  const objective = reflow(config, {
    teacher,
    student: student.policy,
    sharesContext: student.sharesContext,
    seed,
    stored,
  });
  const provenance = once(
    async (): Promise<RunProvenance> => ({
      ...commonProvenance(student.policy),
      ...stageProvenance(config, teacherRound, stored?.pairs.manifest),
      objective: objective.name,
      teacher: { path: resolve(folder), weightsSha256: await hash(), ...(earlier?.k ? { k: earlier.k } : {}) },
    }),
  );
  if (checkpoint !== undefined) await expectSameTeacher(checkpoint, await provenance());
  const isCopy = student.startFolder === folder;
  return {
    policy: student.policy,
    teacher,
    teacherRound,
    reference: isCopy ? teacher : student.policy,
    startFolder: student.startFolder,
    objective,
    warnings: [...warningsAbout(config, earlier, student.policy), ...(student.warnings ?? [])],
    provenance,
  };
}

/** The run's stored pairs. @throws CheckpointError if they were not made for it, or some of its frames have none */
async function openPairs(
  config: TrainConfig,
  dataset: DatasetMetadata,
  teacher: SmolVLAPolicy,
  weightsSha256: string,
): Promise<{ readonly pairs: PairSet; readonly frames: readonly number[] }> {
  const { reflow: settings, renameMap } = config;
  const episodes = config.dataset.episodes ?? dataset.episodes.map(({ index }) => index);
  const frames = framesOf(dataset, splitEpisodes(episodes, config).training);
  const requirements = {
    ...pairFacts(teacher, renameMap),
    teacher: { weightsSha256 },
    dataset,
    paddedDims: settings.paddedDims,
  };
  const use = { requirements, frames, numNoises: settings.noisesPerObservation };
  return { pairs: await PairSet.open(settings.pairs!, use), frames };
}

/** What a stage makes of a teacher of round k, and how. */
function stageProvenance(
  { reflow: settings, policy, ema, peft }: TrainConfig,
  teacherRound: number,
  stored: PairManifest | undefined,
) {
  const { stage, teacherSolver, teacherGrid, paddedDims, noisesPerObservation, pairUses, time, loss, real } = settings;
  const { truncateShare, annealSteps, stateNoise } = settings;
  return {
    k: stage === "distill" ? teacherRound : teacherRound + 1,
    ...(stage === "distill" ? { distilled: true } : {}),
    pairs: {
      solver: stored?.solver ?? teacherSolver,
      grid: stored?.grid ?? teacherGrid,
      numSteps: stored?.numSteps ?? policy.reflowNumInferenceSteps,
      paddedDims,
      source: stored ? "stored" : pairUses > 1 ? "buffered" : "fresh",
      noisesPerObservation,
      ...(stored ? { noisesStored: stored.numNoises } : {}),
      ...(pairUses > 1 ? { pairUses } : {}),
      ...(truncateShare > 0 ? { truncateShare } : {}),
      ...(annealSteps > 0 ? { annealSteps } : {}),
      ...(stateNoise > 0 ? { stateNoise } : {}),
    },
    studentInit: policy.studentInit,
    time,
    loss,
    ...(real.share > 0 ? { realData: real } : {}),
    ...(ema.decay === undefined ? {} : { ema: { decay: ema.decay } }),
    ...(peft === undefined ? {} : { adapter: peft }),
  };
}

/** Combinations of stage and teacher that seldom do what was meant. */
function warningsAbout(
  { reflow: { stage, time } }: TrainConfig,
  teacher: Provenance | undefined,
  { config: { numSteps } }: SmolVLAPolicy,
): readonly string[] {
  const warnings: string[] = [];
  if (stage === "distill" && (teacher?.k ?? 1) === 1) {
    warnings.push(
      "reflow.stage is distill and the teacher is a 1-RF: distillation after a reflow round gives better one-step policies, " +
        "since a straightened flow's map from noise to actions is smoother. Straighten it first with reflow.stage=reflow",
    );
  }
  if (!isTrainedFor(numSteps, time)) {
    const remedy =
      mostStepsTrainedFor(time) === undefined ? "Put 1 among reflow.time.atoms" : "Leave policy.num_steps out";
    warnings.push(
      `policy.num_steps of the student is ${numSteps}, and it is trained at time ${time.atoms.join(", ")} alone: where nobody says ` +
        `otherwise, as in LeRobot, it will be asked about times that it never learnt. ${remedy}`,
    );
  }
  if (teacher?.distilled === true) {
    warnings.push(
      "the teacher was distilled to one step: unless single times were mixed in, its flow at other times is untrained. Use " +
        "policy.reflow_num_inference_steps=1, or the k-RF that it was distilled from",
    );
  }
  return warnings;
}
