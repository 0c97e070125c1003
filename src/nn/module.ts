import { Tensor } from "../torch/index.js";

/**
 * A part of a network: its public fields that are tensors are its parameters, those that are modules (or arrays of
 * modules) its children. Order of declaration is order of enumeration. Private fields (`#name`) are not looked at.
 */
export abstract class Module {
  /** Every parameter below this module with its dotted path. */
  *namedParameters(prefix = ""): IterableIterator<[name: string, parameter: Tensor]> {
    for (const [name, value] of Object.entries(this)) {
      const path = prefix === "" ? name : `${prefix}.${name}`;
      if (value instanceof Tensor) yield [path, value];
      else if (value instanceof Module) yield* value.namedParameters(path);
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries())
          if (item instanceof Module) yield* item.namedParameters(`${path}.${i}`);
      }
    }
  }

  /** This module and every one below it with its dotted path. */
  *namedModules(path = ""): IterableIterator<[path: string, module: Module]> {
    yield [path, this];
    const below = path === "" ? "" : `${path}.`;
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) yield* value.namedModules(`${below}${name}`);
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries())
          if (item instanceof Module) yield* item.namedModules(`${below}${name}.${i}`);
      }
    }
  }

  parameters(): Tensor[] {
    return Array.from(this.namedParameters(), ([, parameter]) => parameter);
  }

  /** How many numbers the parameters hold together. */
  get numParameters(): number {
    return this.parameters().reduce((n, parameter) => n + parameter.numElements, 0);
  }

  /** Switches gradients on or off for every parameter. */
  setTrainable(isTrainable: boolean): void {
    for (const parameter of this.parameters()) parameter.requiresGrad = isTrainable;
  }

  /** Frees every parameter. */
  dispose(): void {
    for (const parameter of this.parameters()) parameter.dispose();
  }
}
