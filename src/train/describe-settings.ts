import { CONFIG_SCHEMA } from "../smolvla/config-schema.js";
import { POLICY_FIELD_DESCRIPTIONS } from "./config-policy-fields.js";
import { SETTING_NAMES, TRAIN_SCHEMA } from "./config-schema.js";

/** A setting of a training run as its documentation lists it. */
export interface SettingDescription {
  /** dotted path, such as `policy.device` */
  readonly name: string;
  readonly description: string;
  /** JSON; undefined if there is none */
  readonly default: string | undefined;
}

/** What is looked at of a schema's node. */
interface Node {
  readonly shape?: Readonly<Record<string, Node>>;
  readonly description?: string;
  readonly def?: { readonly innerType?: Node; readonly defaultValue?: unknown };
}

/** A node and those it wraps: options, defaults, checks. */
const layersOf = (node: Node | undefined): readonly Node[] =>
  node === undefined ? [] : [node, ...layersOf(node.def?.innerType)];

const childOf = (node: Node | undefined, name: string): Node | undefined =>
  layersOf(node).flatMap(({ shape }) => (shape ? [shape[name]] : []))[0];

function describe(name: string): SettingDescription | undefined {
  const node = name.split(".").reduce<Node | undefined>(childOf, TRAIN_SCHEMA as unknown as Node);
  const field = name.startsWith("policy.") ? name.slice("policy.".length) : "";
  const isField = Object.hasOwn(POLICY_FIELD_DESCRIPTIONS, field);
  const layers = layersOf(isField ? (CONFIG_SCHEMA.shape[field as keyof typeof CONFIG_SCHEMA.shape] as Node) : node);
  if (layers.some(({ shape }) => shape !== undefined)) return undefined; // a section
  const description = isField
    ? POLICY_FIELD_DESCRIPTIONS[field]
    : layers.find((layer) => layer.description !== undefined)?.description;
  const withDefault = layers.find(({ def }) => def !== undefined && "defaultValue" in def);
  const value = withDefault && JSON.stringify(withDefault.def!.defaultValue);
  return { name, description: description ?? "", default: value };
}

/** All settings of a training run in the order of its schema, sections left out. */
export const describeSettings = (): readonly SettingDescription[] =>
  SETTING_NAMES.flatMap((name) => describe(name) ?? []);
