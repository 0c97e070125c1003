/** Which parts of the network an adapter's configuration names, by PEFT's rules. */
import { Linear } from "../nn/index.js";
import { ConfigError, messageOf } from "../support/errors.js";
import { withTimeLimit } from "../support/with-time-limit.js";
import { isLoraParameter, toCheckpointName, VLM_PREFIX } from "./checkpoint-names.js";
import type { LoraConfig } from "./lora-config.js";
import type { SmolVLA } from "./smolvla.js";

export interface AdapterTargets {
  /** linear layers by their published names, in the order of the checkpoint */
  readonly layers: ReadonlyMap<string, Linear>;
  /** our names of the parameters that are trained as a whole, with their published ones */
  readonly saved: ReadonlyMap<string, string>;
}

type Matcher = (module: string) => boolean;

/**
 * What PEFT would adapt and save as a whole.
 *
 * @throws ConfigError naming the setting, if it names nothing, or something that is no linear layer
 *
 * Reference: PEFT, `check_target_module_exists` and `_set_trainable`.
 */
export function findAdapterTargets(model: SmolVLA, config: LoraConfig): AdapterTargets {
  const isTarget = targetMatcher(config.targetModules);
  const isSaved = (module: string): boolean => config.modulesToSave.some((name) => module.endsWith(name));
  const names = [...model.namedParameters()].map(([name]) => name).filter((name) => !isLoraParameter(name));
  const saved = new Map(
    names
      .map((name) => [name, toCheckpointName(name)] as const)
      .filter(([, name]) => modulesAround(name).some(isSaved)),
  );
  const modules = new Map(model.namedModules());
  const layers = new Map<string, Linear>();
  for (const name of names) {
    const module = modulesAround(toCheckpointName(name)).at(-1)!;
    if (saved.has(name) || !isTarget(module)) continue;
    const found = modules.get(name.slice(0, name.lastIndexOf(".")));
    if (!(found instanceof Linear)) {
      refuse("target_modules", `expected linear layers that are computed with, got a match for "${module}"`);
    }
    layers.set(module, found);
  }
  if (model.borrowsModel) {
    const borrowed = [...layers.keys(), ...saved.values()].find((name) => name.startsWith(VLM_PREFIX));
    if (borrowed !== undefined) {
      refuse(
        "target_modules and modules_to_save",
        `expected parts of the expert alone, because the vision-language model is shared with another policy, got "${borrowed}"`,
      );
    }
  }
  if (layers.size === 0) refuse("target_modules", `${JSON.stringify(config.targetModules)} matches no layer`);
  for (const name of config.modulesToSave) {
    const isFound = names.some((parameter) => modulesAround(toCheckpointName(parameter)).some((m) => m.endsWith(name)));
    if (!isFound) refuse("modules_to_save", `"${name}" is the end of no module's name`);
  }
  return { layers, saved };
}

/** The modules that a parameter lies in, outermost first: of `a.b.weight` they are `a` and `a.b`. */
function modulesAround(parameter: string): string[] {
  const parts = parameter.split(".").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("."));
}

/** For one name. A pattern that goes back over it again and again takes forever. */
const TIME_LIMIT_MS = 2000;

function targetMatcher(targets: LoraConfig["targetModules"]): Matcher {
  if (typeof targets !== "string") {
    return (module) => targets.some((name) => module === name || module.endsWith(`.${name}`));
  }
  const orSayWhy = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      return refuse(
        "target_modules",
        `expected a regular expression, got ${JSON.stringify(targets)} (${messageOf(error)})`,
      );
    }
  };
  // Unicode mode refuses what JavaScript would read differently from Python instead of guessing.
  const pattern = orSayWhy(() => new RegExp(`^(?:${targets})$`, "u"));
  return (module) => orSayWhy(() => withTimeLimit(TIME_LIMIT_MS, () => pattern.test(module)));
}

function refuse(path: string, message: string): never {
  throw new ConfigError("adapter", [{ path, message }]);
}
