import { resolve } from "node:path";
import { LeRobotDataset, readDatasetMetadata } from "../../data/index.js";
import { agreementTable } from "../../eval/index.js";
import { findPolicyFolder } from "../../policy/find-policy-folder.js";
import { readProvenance } from "../../policy/provenance.js";
import { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { sampleObservations } from "../../train/held-out.js";
import { findRunData } from "../../train/run-data.js";
import { weightsHash } from "../../train/run-provenance.js";
import type { ComparedPolicy, Comparison, ComparisonRequest } from "./comparison.js";
import { findingsOf } from "./findings.js";
import type { CompareSettings } from "./pipeline-schema.js";
import type { Stage } from "./plan-stages.js";
import { BASELINE_NAME, TEACHER_NAME } from "./read-pipeline.js";

/** Where a policy lies before it is told by its content. */
type Place = Omit<ComparedPolicy, "weightsSha256" | "k" | "isDistilled">;

/**
 * What a comparison of all stages measures: every policy, and the original, at few steps, against the converged solution of
 * the flow that was straightened first, or of `compare.baseline`.
 */
export async function comparisonRequest(
  stages: readonly Stage[],
  { baseline, ...settings }: CompareSettings,
): Promise<ComparisonRequest> {
  const { config } = stages[0]!;
  const teacher = config.policy.useReflow ? config.policy.teacherModelPath : undefined;
  const places: Place[] = [];
  for (const [name, given] of [
    [BASELINE_NAME, baseline ?? undefined],
    [TEACHER_NAME, teacher],
  ] as const) {
    if (given !== undefined) places.push({ name, stage: undefined, path: resolve(await findPolicyFolder(given)) });
  }
  places.push(
    ...stages.map(({ name, folderName, resultFolder }) => ({ name, stage: folderName, path: resolve(resultFolder) })),
  );
  const data = await findRunData(config);
  const { contentHash } = await readDatasetMetadata(data.source.root, data.source.repoId);
  const isHeldOut = data.heldOut.length > 0;
  return {
    settings,
    seed: deriveSeed(config.seed ?? 0, "comparison"),
    reference: baseline === null ? originalName(stages) : BASELINE_NAME,
    policies: await Promise.all(places.map(identify)),
    dataset: { contentHash, episodes: isHeldOut ? data.heldOut : data.training },
    isHeldOut,
  };
}

/** The flow that the pipeline straightens: its teacher, or the last that it trained on demonstrations. */
const originalName = (stages: readonly Stage[]): string =>
  stages.filter(({ kind }) => kind === "flow_matching").at(-1)?.name ?? TEACHER_NAME;

async function identify(place: Place): Promise<ComparedPolicy> {
  const provenance = await readProvenance(place.path);
  return {
    ...place,
    weightsSha256: await weightsHash(place.path),
    k: provenance?.k,
    isDistilled: provenance?.distilled === true,
  };
}

/** Measures all policies on the same observations and noises, in float32. */
export async function compareStages(stages: readonly Stage[], request: ComparisonRequest): Promise<Comparison> {
  const { config } = stages[0]!;
  const { settings, dataset, policies, seed } = request;
  const { source } = await findRunData(config);
  await using episodes = await LeRobotDataset.open({ ...source, episodes: dataset.episodes });
  const observations = await sampleObservations(episodes, settings.num_observations, config.renameMap);
  const device = config.policy.device === undefined ? {} : { device: config.policy.device };
  const candidates: { readonly name: string; readonly policy: SmolVLAPolicy }[] = [];
  try {
    for (const { name, path } of policies) candidates.push({ name, policy: await SmolVLAPolicy.load(path, device) });
    const rows = agreementTable({
      reference: candidates.find(({ name }) => name === request.reference)!.policy,
      candidates,
      observations,
      numNoises: settings.num_noises,
      numStepsList: settings.num_steps,
      numReferenceSteps: settings.reference_steps,
      seed,
    });
    const original = policies.findIndex(({ name }) => name === originalName(stages));
    return { ...request, rows, findings: findingsOf(rows, policies.slice(original)) };
  } finally {
    for (const { policy } of candidates) policy.dispose();
  }
}
