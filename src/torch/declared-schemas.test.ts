import { describe, expect, it } from "vitest";
import { declaredSchemas, linkedSchema } from "./index.js";

interface Parameter {
  readonly type: string;
  readonly name: string;
  readonly isKeyword: boolean;
  readonly hasDefault: boolean;
}

/** Splits at commas outside brackets, of which default values and lists of returns are full. */
function splitList(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const character of text) {
    if ("([".includes(character)) depth += 1;
    if (")]".includes(character)) depth -= 1;
    if (character === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
    } else part += character;
  }
  return [...parts, part.trim()].filter((item) => item !== "");
}

/** What must agree between a declaration and libtorch: all but the values of defaults, which versions print differently. */
function parseSchema(schema: string): { name: string; parameters: Parameter[]; returns: string[] } {
  const [, name, args, returns] = schema.match(/^([\w:.]+)\((.*)\) -> (.*)$/) ?? [];
  if (name === undefined || args === undefined || returns === undefined) throw new Error(`not a schema: ${schema}`);
  const items = splitList(args);
  const star = items.indexOf("*");
  const parameters = items.flatMap((item, i) => {
    const [, type, parameter, value] = item.match(/^(.+?) (\w+)(=.*)?$/) ?? [];
    if (type === undefined || parameter === undefined) return [];
    return [{ type, name: parameter, isKeyword: star >= 0 && i > star, hasDefault: value !== undefined }];
  });
  const list = returns.startsWith("(") ? splitList(returns.slice(1, -1)) : [returns];
  return { name, parameters, returns: list.map((item) => item.replace(/ \w+$/, "")) };
}

/** Throws unless the linked libtorch has the operator exactly as declared. */
function expectAgreement(declared: string): void {
  const { name } = parseSchema(declared);
  const linked = linkedSchema(name);
  expect(linked, `the linked libtorch has no ${name}`).toBeDefined();
  expect(parseSchema(declared)).toEqual(parseSchema(linked!));
}

describe("declared operators", () => {
  const isOptional = (schema: string): boolean => schema.startsWith("mkldnn::"); // not in every build of libtorch
  it.each(declaredSchemas().filter((schema) => !isOptional(schema) || linkedSchema(schema.split("(")[0]!)))(
    "%s is what the linked libtorch has",
    (schema) => expectAgreement(schema),
  );

  it("are declared once each", () => {
    const names = declaredSchemas().map((schema) => schema.split("(")[0]);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    expect(names.length).toBeGreaterThan(80);
  });

  it.each([
    ["another type", "aten::add.Tensor(Tensor self, Scalar other, *, Scalar alpha=1) -> Tensor"],
    ["another name of an argument", "aten::add.Tensor(Tensor self, Tensor that, *, Scalar alpha=1) -> Tensor"],
    ["another order", "aten::add.Tensor(Tensor other, Tensor self, *, Scalar alpha=1) -> Tensor"],
    ["a default too few", "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha) -> Tensor"],
    ["a default too many", "aten::add.Tensor(Tensor self, Tensor other=None, *, Scalar alpha=1) -> Tensor"],
    ["a keyword taken for a position", "aten::add.Tensor(Tensor self, Tensor other, Scalar alpha=1) -> Tensor"],
    ["an argument too few", "aten::add.Tensor(Tensor self, Tensor other) -> Tensor"],
    ["another result", "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> (Tensor, Tensor)"],
    ["a missing in-place mark", "aten::add_.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor"],
    ["an operator that does not exist", "aten::add.Tenzor(Tensor self) -> Tensor"],
  ])("with %s would be noticed", (_, wrong) => {
    expect(() => expectAgreement(wrong)).toThrow();
  });
});
