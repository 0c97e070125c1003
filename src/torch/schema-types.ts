/**
 * Turns the text of an operator schema into a TypeScript signature, so that a declared operator cannot disagree with
 * its own types: `op("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor")` is a function
 * `(self: Tensor, other: Tensor, alpha?: number) => Tensor`. Whether the text agrees with the linked libtorch is
 * checked by a test.
 *
 * Limits: default values must not contain ", " (write `[]`, `0`, `None`).
 */
import type { DType } from "./dtype.js";
import type { Generator } from "./generator.js";
import type { Tensor } from "./tensor.js";

interface Atoms {
  Tensor: Tensor;
  Scalar: number | boolean;
  int: number;
  SymInt: number;
  float: number;
  bool: boolean;
  str: string;
  ScalarType: DType;
  Device: string;
  Layout: number;
  MemoryFormat: number;
  Generator: Generator;
}

/** `Tensor(a!)[]` is `Tensor[]`: aliasing does not show in a signature. */
type WithoutAlias<T extends string> = T extends `Tensor(${string})${infer Rest}` ? `Tensor${Rest}` : T;

type Value<T extends string> =
  WithoutAlias<T> extends infer U
    ? U extends `${infer Inner}?`
      ? Value<Inner> | null
      : U extends `${infer Inner}[${string}]`
        ? readonly Value<Inner>[]
        : U extends keyof Atoms
          ? Atoms[U]
          : never
    : never;

type Argument<S extends string> = S extends "*" | ""
  ? []
  : S extends `${infer Type} ${string}=${string}`
    ? [Value<Type>?]
    : S extends `${infer Type} ${string}`
      ? [Value<Type>]
      : never;

type Arguments<S extends string> = S extends `${infer Head}, ${infer Tail}`
  ? [...Argument<Head>, ...Arguments<Tail>]
  : Argument<S>;

type Result<S extends string> = S extends `${infer Type} ${string}` ? Value<Type> : Value<S>;

type Results<S extends string> = S extends `${infer Head}, ${infer Tail}`
  ? [Result<Head>, ...Results<Tail>]
  : [Result<S>];

type Returns<S extends string> = S extends "()" ? undefined : S extends `(${infer List})` ? Results<List> : Result<S>;

/** The signature that a schema text describes. */
export type Signature<S extends string> = S extends `${string}(${infer Args}) -> ${infer Return}`
  ? (...args: Arguments<Args>) => Returns<Return>
  : never;
