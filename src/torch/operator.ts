/** Declares operators: one typed line each, called by schema name through libtorch's dispatcher. */
import { messageOf, TorchError } from "../support/errors.js";
import { codeOfDtype, type DType } from "./dtype.js";
import { Generator } from "./generator.js";
import { native } from "./native.js";
import type { Signature } from "./schema-types.js";
import { Tensor } from "./tensor.js";

type Convert = (value: unknown, name: string) => unknown;

const handleOf: Convert = (value, name) => {
  if (value instanceof Tensor) return value.handle;
  throw new TypeError(`expected a Tensor for "${name}", got ${describe(value)}`);
};

const CONVERTERS: Readonly<Record<string, Convert>> = {
  Tensor: handleOf,
  ScalarType: (value) => codeOfDtype(value as DType),
  Generator: (value, name) => {
    if (value instanceof Generator) return value.handle;
    throw new TypeError(`expected a Generator for "${name}", got ${describe(value)}`);
  },
};

/** How a JavaScript argument becomes what the bridge takes; undefined if it is passed as it is. */
function converterFor(type: string): Convert | undefined {
  if (type.endsWith("?")) {
    const inner = converterFor(type.slice(0, -1));
    return inner && ((value, name) => (value === null ? null : inner(value, name)));
  }
  const list = type.match(/^(.*)\[\d*\]$/)?.[1];
  if (list !== undefined) {
    const inner = converterFor(list);
    if (inner === undefined) return undefined;
    return (value, name) => {
      if (Array.isArray(value)) return value.map((item) => inner(item, name));
      throw new TypeError(`expected an array for "${name}", got ${describe(value)}`);
    };
  }
  return CONVERTERS[type.replace(/\(.*?\)/, "")];
}

type Wrap = (result: unknown) => unknown;
const wrapTensor: Wrap = (result) => (result === null ? null : new Tensor(result as number));

function wrapperFor(type: string): Wrap {
  const plain = type.replace(/\(.*?\)/, "").split(" ")[0];
  if (plain === "Tensor") return wrapTensor;
  if (plain === "Tensor[]") return (result) => (result as (number | null)[]).map(wrapTensor);
  return (result) => result;
}

/** A value in few words, for an error message; must not throw itself. */
function describe(value: unknown): string {
  if (value instanceof Tensor) return describeTensor(value);
  if (Array.isArray(value)) {
    return value.length > 8 ? `an array of ${value.length}` : `[${value.map(describe).join(", ")}]`;
  }
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : String(value);
}

function describeTensor(tensor: Tensor): string {
  if (tensor.isDisposed) return "a disposed tensor";
  try {
    return `${tensor.dtype}[${tensor.shape.join(", ")}]`;
  } catch {
    return `a tensor of a type unknown here, [${tensor.shape.join(", ")}]`;
  }
}

const declared: string[] = [];

/** The schema text of every operator declared so far; a test compares them with the linked libtorch's own. */
export const declaredSchemas = (): readonly string[] => declared;

/** libtorch's own schema text for a name such as `aten::add.Tensor`, or undefined if it has no such operator. */
export const linkedSchema = (name: string): string | undefined => native.operatorSchema(name) ?? undefined;

/**
 * A function that calls the operator of the given schema. Arguments are positional in schema order, those after `*`
 * included; an absent or undefined one takes the schema's default. In-place operators return their first argument.
 *
 * The function throws TorchError naming the operator and the shapes of its arguments, with libtorch's text.
 */
export function op<const S extends string>(schema: S): Signature<S> {
  const [, name, args, returns] = schema.match(/^([\w:.]+)\((.*?)\) -> (.*)$/) ?? [];
  if (name === undefined || args === undefined || returns === undefined) {
    throw new TypeError(`internal: not an operator schema: ${schema}`);
  }
  declared.push(schema);
  const parameters = args
    .split(", ")
    .filter((text) => text !== "*" && text !== "")
    .map((text) => {
      const [type, rest] = [text.slice(0, text.indexOf(" ")), text.slice(text.indexOf(" ") + 1)];
      return { name: rest.split("=")[0]!, convert: converterFor(type) };
    });
  const isInPlace = /^Tensor\(\w!\)$/.test(returns);
  const results = returns.startsWith("(") && !isInPlace ? returns.slice(1, -1).split(", ").filter(Boolean) : undefined;
  const wrap: Wrap = results
    ? (values) => results.map((type, i) => wrapperFor(type)((values as unknown[])[i]))
    : wrapperFor(returns);

  let operator: number | undefined;
  return ((...values: unknown[]): unknown => {
    let result: unknown;
    try {
      operator ??= native.resolveOperator(name);
      const converted = values.map((value, i) => {
        const parameter = parameters[i];
        return parameter?.convert === undefined || value === undefined
          ? value
          : parameter.convert(value, parameter.name);
      });
      result = native.callOperator(operator, ...converted);
    } catch (error) {
      const given = values.map((value, i) => `${parameters[i]?.name ?? "extra"}: ${describe(value)}`).join(", ");
      throw new TorchError(name, `${name}(${given}): ${messageOf(error)}`);
    }
    if (!isInPlace) return wrap(result);
    native.freeTensor(result as number); // a second handle to the first argument
    return values[0];
  }) as unknown as Signature<S>;
}
