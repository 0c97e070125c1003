// Calls operators of the bare bridge with arguments at random, in a process of its own: no TypeScript stands between the
// bridge and whatever it is handed. Arguments: addon, log of calls, seed, number of calls, names of operators.

import { openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";

const [addon, log, seed, rounds, ...names] = process.argv.slice(2);
const native = createRequire("/")(addon);
const file = openSync(log, "w");
let state = Number(seed);
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const pick = (list) => list[random(list.length)];
const pool = [];
const make = () => {
  const [dtype, size] = pick([
    [6, 4],
    [6, 4],
    [4, 8],
    [11, 1],
    [7, 8],
    [15, 2],
    [0, 1],
  ]);
  const shape = Array.from({ length: random(4) }, () => random(4));
  const bytes = new Uint8Array(shape.reduce((n, s) => n * s, size));
  if (dtype !== 4) for (let i = 0; i < bytes.length; i++) bytes[i] = dtype === 11 ? random(2) : random(256);
  else for (let i = 0; i < bytes.length; i += 8) bytes[i] = random(5);
  return native.tensorFromBytes(bytes, dtype, shape);
};
// No number may be a size that memory could just hold: 2^31 numbers in a row would fill it.
const number = () => pick([0, 1, 2, 3, -1, -2, 0.5, -0, NaN, Infinity, 1e300, 2 ** 52, 2 ** 40, 2 ** 53, 7]);
const size = () => pick([0, 1, 1, 2, 2, 3, 4, -1, 5, 2 ** 40, 2 ** 53]);
const list = (of) => Array.from({ length: random(4) }, of);
const junk = () =>
  pick([
    () => null,
    () => undefined,
    () => "x",
    () => ({}),
    () => [],
    () => [null],
    () => true,
    () => 12345678901234567890n,
    () => Symbol("s"),
    () => () => 0,
    number,
    () => list(junk),
    () => new Float32Array(2),
    () => pick(pool) + 2 ** 46, // of another generation, and as a size far beyond memory
    () => {
      const a = [1];
      Object.defineProperty(a, 0, {
        get() {
          throw new Error("getter");
        },
      });
      return a;
    },
    () => new Proxy([1, 2], {}),
    () => ({ length: 3 }),
  ])();
const valueFor = (type) => {
  if (random(20) === 0) return junk();
  if (type.endsWith("?")) return random(3) === 0 ? null : valueFor(type.slice(0, -1));
  const element = type.match(/^(.*)\[\d*\]$/)?.[1];
  if (element !== undefined) return list(() => valueFor(element));
  return (
    {
      Tensor: () => pick(pool),
      Scalar: number,
      int: size,
      SymInt: size,
      float: number,
      bool: () => random(2) === 0,
      str: () => pick(["none", "mean", "ij", "xy", "i,j->ij", "", "bilinear"]),
      ScalarType: () => random(50) - 2,
      Layout: () => random(12) - 1,
      MemoryFormat: () => random(6) - 1,
      Device: () => pick(["cpu", "meta", "cuda:9", "?"]),
      Generator: () => pick([0, generator, 1e9]),
    }[type.replace(/\(.*?\)/, "")]?.() ?? junk()
  );
};
const split = (text) => {
  const parts = [];
  let depth = 0,
    part = "";
  for (const c of `${text},`) {
    depth += "([".includes(c) ? 1 : ")]".includes(c) ? -1 : 0;
    if (c === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
    } else part += c;
  }
  return parts.filter((p) => p !== "" && p !== "*");
};
const generator = native.newGenerator("cpu", 1);
const operators = names.map((name) => {
  const schema = native.operatorSchema(name);
  if (schema === null) throw new Error(name);
  const args = schema.slice(schema.indexOf("(") + 1, schema.lastIndexOf(") ->"));
  return {
    name,
    id: native.resolveOperator(name),
    types: split(args).map((a) => a.replace(/=.*$/, "").replace(/ \w+$/, "")),
  };
});
const show = (v) =>
  JSON.stringify(v, (_, x) => (typeof x === "bigint" ? String(x) : typeof x === "number" ? String(x) : x));
const adopt = (result) => {
  if (Array.isArray(result)) return result.forEach(adopt);
  try {
    const shape = native.tensorShape(result);
    const isLarge = shape.some((s) => s > 1000) || shape.reduce((n, s) => n * s, 1) > 1e5;
    // Nothing that a later round would compute on for minutes.
    if (isLarge || native.tensorDevice(result) !== "cpu" || random(3) === 0) native.freeTensor(result);
    else pool[random(pool.length)] = result;
  } catch {} // a number that is no tensor
};
for (let i = 0; i < 40; i++) pool.push(make());
let values = 0,
  errors = 0;
for (let i = 0; i < Number(rounds); i++) {
  if (random(10) === 0) pool[random(pool.length)] = make();
  const { name, id, types } = pick(operators);
  const args = types.slice(0, random(8) === 0 ? random(types.length + 1) : types.length).map(valueFor);
  if (random(50) === 0) args.push(junk());
  try {
    writeSync(file, `${name} ${show(args)}\n`);
  } catch {}
  try {
    adopt(native.callOperator(id, ...args));
    values += 1;
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`not an Error: ${String(error)}`);
    errors += 1;
  }
}
for (const [name, call] of Object.entries(native)) {
  if (["setNumThreads", "enterInference", "resolveOperator"].includes(name)) continue;
  for (let i = 0; i < 300; i++) {
    const args = Array.from({ length: random(6) }, () => (random(3) === 0 ? pick(pool) : junk()));
    writeSync(file, `${name}\n`);
    try {
      call(...args);
      values += 1;
    } catch (error) {
      if (!(error instanceof Error)) throw new Error(`not an Error: ${String(error)}`);
      errors += 1;
    }
  }
}
process.stdout.write(`${JSON.stringify({ values, errors })}\n`);
process.exit(0);
