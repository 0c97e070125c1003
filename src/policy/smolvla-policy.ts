/** A policy: transforms, network, solver, inverse transforms. Observation in, actions out. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { euler, sampleNoise, solve, type VelocityField } from "../flow/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import { actionDim, configWarnings, type SmolVLAConfig, toSmolVLAJson } from "../smolvla/config.js";
import { type BuildOptions, loadSmolVLA, saveSmolVLA } from "../smolvla/load.js";
import { loadAdapter, mergeAdapter } from "../smolvla/lora-adapter.js";
import type { Precision } from "../smolvla/precision.js";
import type { ModelInput, SmolVLA } from "../smolvla/smolvla.js";
import type { VlmConfig } from "../smolvla/vlm-config.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import { ConfigError, ShapeError } from "../support/errors.js";
import { type HostArray, hostArray } from "../support/host-array.js";
import { makeFolder } from "../support/make-folder.js";
import {
  defaultDevice,
  expectDevice,
  expectShape,
  Generator,
  isDeviceAvailable,
  noGrad,
  scope,
  type Tensor,
  tensorFromHost,
  toDevice,
} from "../torch/index.js";
import { adapterBase, isAdapterFolder } from "./adapter-folder.js";
import { cropActions, toModelInput } from "./model-input.js";
import { readPolicyFiles, readProcessors } from "./policy-files.js";
import type { ProcessorPipelines } from "./processors/pipeline.js";
import { type ProcessorBatch, runPostprocessor, runPreprocessor } from "./processors/run-pipeline.js";
import { saveProcessorPipeline } from "./processors/save-pipeline.js";
import { findPolicyResources, type PolicyResources, resourceFoldersOf } from "./resources.js";
import type { LanguageTokenizer } from "./tokenizer.js";

export interface LoadOptions {
  /** `cpu`, `cuda`, `cuda:1`, `mps`; the configuration's own if it can be used here, else the best there is */
  readonly device?: string;
  /** undefined is `fp32` */
  readonly precision?: Precision;
  /** further folders in which a relative `vlm_model_name` or `tokenizer_name` is looked up */
  readonly besides?: readonly string[];
  readonly revision?: string;
  /** used in place of the folder's own `config.json` */
  readonly config?: SmolVLAConfig;
  /**
   * what to do with an old policy whose statistics were never set; `leave out` is for who puts others in their place.
   * Undefined is `refuse`
   */
  readonly unsetStatistics?: "refuse" | "leave out";
}

export interface PredictOptions {
  /** standard normal float32 `[B, A, M]` with M the padded action width; drawn from `seed` if left out */
  readonly noise?: HostArray;
  /** of the noise, if that is left out; 0 by default */
  readonly seed?: number;
  /** Euler steps; the configuration's by default */
  readonly numSteps?: number;
}

/** Actions for B observations: A steps of M real dimensions, float32 `[B, A, M]`. */
export interface Prediction {
  /** in normalised units, as the network gives them */
  readonly chunk: HostArray;
  /** in the robot's units */
  readonly robotChunk: HostArray;
}

export interface PolicyParts {
  readonly config: SmolVLAConfig;
  readonly vlmConfig: VlmConfig;
  readonly model: SmolVLA;
  readonly processors: ProcessorPipelines;
  readonly tokenizer: LanguageTokenizer;
  readonly tokenizerFolder: string;
  readonly device: string;
  readonly precision: Precision;
  /** folders in which relative names were looked up, so that a copy of the policy can find them too */
  readonly resourceFolders: readonly string[];
  /** what was done to read the policy from an older layout, as sentences */
  readonly migrationWarnings?: readonly string[] | undefined;
}

export class SmolVLAPolicy {
  readonly config: SmolVLAConfig;
  readonly vlmConfig: VlmConfig;
  readonly model: SmolVLA;
  readonly processors: ProcessorPipelines;
  readonly tokenizer: LanguageTokenizer;
  readonly tokenizerFolder: string;
  readonly device: string;
  readonly precision: Precision;
  readonly resourceFolders: readonly string[];
  readonly migrationWarnings: readonly string[];
  readonly #queue: HostArray[] = [];

  constructor(parts: PolicyParts) {
    this.config = parts.config;
    this.vlmConfig = parts.vlmConfig;
    this.model = parts.model;
    this.processors = parts.processors;
    this.tokenizer = parts.tokenizer;
    this.tokenizerFolder = parts.tokenizerFolder;
    this.device = parts.device;
    this.precision = parts.precision;
    this.resourceFolders = parts.resourceFolders;
    this.migrationWarnings = parts.migrationWarnings ?? [];
  }

  /**
   * A trained policy from its folder or Hub id. One in the layout of LeRobot up to 0.3 is migrated in memory, see `warnings`.
   *
   * @throws CheckpointError or ConfigError naming the file, and what a policy folder holds
   */
  static async load(nameOrPath: string, options: LoadOptions = {}): Promise<SmolVLAPolicy> {
    const folder = await resolveFolder({ nameOrPath, kind: "model", revision: options.revision });
    if (isAdapterFolder(folder)) return SmolVLAPolicy.#loadAdapted(folder, options);
    const files = await readPolicyFiles(folder, options);
    const { processors } = files;
    const config = options.config ?? files.config;
    const resourceFolders = [...(options.besides ?? []), ...(await resourceFoldersOf(folder))];
    const resources = await findPolicyResources(config, processors, resourceFolders);
    const build = buildOptions(config, resources, options);
    const model = await naming(join(folder, "config.json"), () => loadSmolVLA(folder, build, files.currentName));
    const { warnings: migrationWarnings } = files;
    return new SmolVLAPolicy({ ...build, ...resources, model, processors, resourceFolders, migrationWarnings });
  }

  /** A policy that PEFT has saved as corrections to another one: that one, with the corrections merged. */
  static async #loadAdapted(folder: string, options: LoadOptions): Promise<SmolVLAPolicy> {
    const policy = await SmolVLAPolicy.load(await adapterBase(folder), options);
    try {
      await loadAdapter(folder, policy.model);
      mergeAdapter(policy.model);
      const hasProcessors = existsSync(join(folder, "policy_preprocessor.json"));
      return hasProcessors ? policy.with({ processors: await readProcessors(folder) }) : policy;
    } catch (error) {
      policy.dispose();
      throw error;
    }
  }

  /** What in the configuration has no effect here, and what was done to read an old policy, as sentences. */
  get warnings(): readonly string[] {
    return [...this.migrationWarnings, ...configWarnings(this.config)];
  }

  /** The same policy around another network on the same vision-language model. */
  with(changes: Partial<PolicyParts>): SmolVLAPolicy {
    return new SmolVLAPolicy({ ...this, ...changes });
  }

  /** A raw observation (the robot's or a dataset's units) as the network takes it. */
  encode(observation: ProcessorBatch): ModelInput {
    const { arrays } = runPreprocessor(this.processors.preprocessor, observation, this.tokenizer);
    return toModelInput(arrays, this.config, this.device);
  }

  /** The velocity field for given observations; their prefix is encoded once, here. Without gradients. */
  velocityField(input: ModelInput): VelocityField {
    const prefix = noGrad(() => scope(() => this.model.encodePrefix(input)));
    return (noisyActions, time) => noGrad(() => this.model.velocity(prefix, noisyActions, time));
  }

  /**
   * Normalised actions in the network's full width.
   *
   * @param noise `[B, A, maxActionDim]`; never written to
   * @returns `[B, A, maxActionDim]`
   */
  sampleActions(input: ModelInput, noise: Tensor, numSteps = this.config.numSteps): Tensor {
    const known = { B: input.state.size(0), A: this.config.chunkSize, M: this.config.maxActionDim };
    expectShape(noise, "B A M", "policy.sampleActions: noise", known);
    return scope(() => solve(euler, this.velocityField(input), noise, numSteps));
  }

  /** Predicts a chunk of actions for each observation of a batch, in the deployment path: raw in, robot's units out. */
  predict(observation: ProcessorBatch, options: PredictOptions = {}): Prediction {
    return scope(() => {
      const input = this.encode(observation);
      const actions = this.sampleActions(input, this.#noise(input.state.size(0), options), options.numSteps);
      const chunk = cropActions(actions, this.config).toHost();
      return { chunk, robotChunk: runPostprocessor(this.processors.postprocessor, chunk) };
    });
  }

  #noise(batchSize: number, { noise, seed = 0 }: PredictOptions): Tensor {
    if (noise === undefined) {
      using generator = new Generator(seed);
      return toDevice(
        sampleNoise([batchSize, this.config.chunkSize, this.config.maxActionDim], generator),
        this.device,
      );
    }
    if (noise.dtype !== "float32")
      throw new ShapeError(`policy.predict: expected noise in float32, got ${noise.dtype}`);
    return toDevice(tensorFromHost(noise), this.device);
  }

  /**
   * The next action in the robot's units, `[B, M]`, from a queue of `n_action_steps` that is filled by a prediction
   * whenever it is empty. Call `reset` between episodes.
   */
  selectAction(observation: ProcessorBatch, options: PredictOptions = {}): HostArray {
    if (this.#queue.length === 0) this.#queue.push(...this.#actionsOf(this.predict(observation, options).robotChunk));
    return this.#queue.shift()!;
  }

  #actionsOf(chunk: HostArray): HostArray[] {
    const [B, A, M] = chunk.shape as [number, number, number];
    return Array.from({ length: Math.min(this.config.nActionSteps, A) }, (_, step) => {
      const data = new Float32Array(B * M);
      for (let b = 0; b < B; b++) {
        const from = (b * A + step) * M;
        data.set((chunk.data as Float32Array).subarray(from, from + M), b * M);
      }
      return hostArray("float32", [B, M], data);
    });
  }

  /** Forgets the actions that were predicted and not yet carried out. */
  reset(): void {
    this.#queue.length = 0;
  }

  /** The number of real action dimensions. */
  get actionDim(): number {
    return actionDim(this.config);
  }

  /**
   * Writes everything stock LeRobot needs to load the policy: configuration, weights, both processors with their
   * statistics. Files of the same names are replaced, each in one step.
   *
   * @param masters see `saveSmolVLA`
   */
  async save(folder: string, masters?: ReadonlyMap<string, Tensor>): Promise<void> {
    await makeFolder(folder);
    await saveSmolVLA(folder, this.model, masters);
    await saveProcessorPipeline(folder, this.processors.preprocessor);
    await saveProcessorPipeline(folder, this.processors.postprocessor);
    await writeFileAtomically(join(folder, "config.json"), toSmolVLAJson(this.config));
  }

  /** Frees the network. Networks that share its vision-language model cannot be used any more either. */
  dispose(): void {
    this.model.dispose();
  }
}

/** Does what may find settings that do not go together; such an error says in which file. */
async function naming<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(file, error.message) : error;
  }
}

/** How to build a policy's network here. */
export function buildOptions(
  config: SmolVLAConfig,
  resources: PolicyResources,
  options: Pick<LoadOptions, "device" | "precision">,
): BuildOptions & { readonly vlmConfig: VlmConfig } {
  const own = config.device !== undefined && isDeviceAvailable(config.device) ? config.device : defaultDevice();
  const { fakeImageTokenId, globalImageTokenId } = resources.tokenizer;
  return {
    config,
    vlmConfig: resources.vlmConfig,
    imageTokenIds:
      fakeImageTokenId === undefined || globalImageTokenId === undefined
        ? undefined
        : { fakeImage: fakeImageTokenId, globalImage: globalImageTokenId },
    device: expectDevice(options.device ?? own, "policy.device"),
    precision: options.precision ?? "fp32",
  };
}
