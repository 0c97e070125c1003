/**
 * Lifetimes. A tensor's memory is native and must be given back on purpose:
 *
 * - `scope(body)` frees every tensor made in `body` except those in its result, which pass to the scope around it;
 * - `using x = …` or `x.dispose()` frees one tensor;
 * - what is made outside any scope, or leaves the outermost one, belongs to whoever holds it; garbage collection frees
 *   it at some time if the owner forgets, as a safety net only.
 */
import type { Tensor } from "./tensor.js";

const openScopes: Tensor[][] = [];

/** The tensor now belongs to the innermost open scope; false if none is open. */
export function adoptIntoScope(tensor: Tensor): boolean {
  const innermost = openScopes.at(-1);
  innermost?.push(tensor);
  return innermost !== undefined;
}

/** Calls `visit` for every tensor inside arrays, maps and plain objects, at any depth. */
export function forEachTensor(value: unknown, visit: (tensor: Tensor) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (TENSOR_BRAND in value) visit(value as Tensor);
  else if (Array.isArray(value)) for (const item of value) forEachTensor(item, visit);
  else if (value instanceof Map) for (const item of value.values()) forEachTensor(item, visit);
  else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      for (const item of Object.values(value)) forEachTensor(item, visit);
    }
  }
}

/**
 * Passes on what a function returned, unless that is a promise: what the caller set up around the function would be
 * gone, or would hold for other code too, by the time the promise's own code runs.
 */
export function expectSynchronous<T>(where: string, result: T): T {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {}); // its outcome is replaced by the error below
  throw new TypeError(`${where}: expected a synchronous function, got one that returns a promise`);
}

/** Marks `Tensor` objects, so that this module need not import the class that imports it. */
export const TENSOR_BRAND: unique symbol = Symbol("Tensor");

/**
 * Runs `body` and frees every tensor it made, except those in its result (in arrays, maps and plain objects, at any
 * depth). On an error everything is freed.
 *
 * Not for asynchronous work: tensors of other code would be caught in it during an await.
 *
 * @throws TypeError if `body` returns a promise
 */
export function scope<T>(body: () => T): T {
  const made: Tensor[] = [];
  const kept = new Set<Tensor>();
  openScopes.push(made);
  try {
    const result = expectSynchronous("torch.scope", body());
    forEachTensor(result, (tensor) => kept.add(tensor));
    return result;
  } finally {
    openScopes.pop();
    for (const tensor of made) {
      if (kept.has(tensor)) tensor.leaveScope();
      else tensor.dispose();
    }
  }
}

/** Lets a tensor (or those in a structure) outlive every open scope; its owner must dispose it. */
export function keep<T>(value: T): T {
  forEachTensor(value, (tensor) => {
    for (const made of openScopes) {
      const index = made.lastIndexOf(tensor);
      if (index >= 0) made.splice(index, 1);
    }
    tensor.watchForCollection();
  });
  return value;
}

/** Frees every tensor in arrays, maps and plain objects; those already freed are passed over. */
export const disposeAll = (value: unknown): void => forEachTensor(value, (tensor) => tensor.dispose());
