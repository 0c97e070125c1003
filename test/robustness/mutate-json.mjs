// Damage to the structure of JSON: other types, huge numbers, deep nesting, keys that are missing, unknown or given twice.

/** @typedef {ReturnType<typeof import("./random.mjs").randomOf>} Random */

const MARK = "@@mutant@@";

/** Texts of JSON, some of which only other languages write. @type {readonly ((random: Random) => string)[]} */
const VALUES = [
  () => "null",
  () => "true",
  () => "false",
  () => "0",
  () => "-0.0",
  () => "1",
  () => "-1",
  () => "3",
  () => "0.5",
  () => "1e-320",
  () => "1e9",
  () => "100000",
  () => "16777216",
  () => "2147483647",
  () => "4294967296",
  () => "9007199254740991",
  () => "9007199254740993",
  () => "1e300",
  () => "-1e300",
  () => "1e999",
  () => "NaN",
  () => "-Infinity",
  () => '""',
  () => '"x"',
  () => '"../../../../etc/passwd"',
  () => '"/dev/zero"',
  () => '"__proto__"',
  () => '"\\ud800\\u0000"',
  () => JSON.stringify("long ".repeat(40_000)),
  () => "[]",
  () => "{}",
  () => "[null]",
  () => '{"__proto__": {"x": 1}}',
  () => `${"[".repeat(5000)}${"]".repeat(5000)}`,
  () => `${'{"a":'.repeat(3000)}1${"}".repeat(3000)}`,
  (random) => JSON.stringify(Array.from({ length: 20_000 }, () => random.below(1000))),
  (random) => String(random.below(2 ** 32) - 2 ** 31),
];

/** Every place in a value: the thing it lies in, and under which key. */
function placesIn(value, found = []) {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value, key });
    placesIn(value[key], found);
  }
  return found;
}

/** The shallow places are few and matter most. @param {Random} random */
function pickPlace(root, random) {
  const top = Object.keys(root).map((key) => ({ holder: root, key }));
  const all = placesIn(root);
  return random.pick(random.below(3) === 0 && top.length > 0 ? top : all);
}

/** @type {Record<string, (root: any, random: Random) => string>} */
const DAMAGES = {
  value: (root, random) => {
    const raw = random.pick(VALUES)(random);
    const { holder, key } = pickPlace(root, random);
    holder[key] = MARK;
    return JSON.stringify(root).replace(`"${MARK}"`, () => raw);
  },
  number: (root, random) => {
    const numbers = placesIn(root).filter(({ holder, key }) => typeof holder[key] === "number");
    if (numbers.length === 0) return DAMAGES.value(root, random);
    const { holder, key } = random.pick(numbers);
    holder[key] = random.pick([2, -1, 0, 1e3, 1e6, 2 ** 31, 0.5, 1 + 2 ** -30, 1e15]) * (holder[key] || 1);
    return JSON.stringify(root);
  },
  missing: (root, random) => {
    const { holder, key } = pickPlace(root, random);
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
    return JSON.stringify(root);
  },
  unknown: (root, random) => {
    const { holder, key } = pickPlace(root, random);
    if (Array.isArray(holder)) holder.push(holder[key]);
    else holder[random.pick([`${key}s`, "", "__proto__x", "constructor", "toString"])] = holder[key];
    return JSON.stringify(root);
  },
  renamed: (root, random) => {
    const { holder, key } = pickPlace(root, random);
    if (!Array.isArray(holder)) {
      holder[`${key}_`] = holder[key];
      delete holder[key];
    } else holder.reverse();
    return JSON.stringify(root);
  },
  twice: (root, random) => {
    const { holder, key } = pickPlace(root, random);
    if (Array.isArray(holder)) return DAMAGES.value(root, random);
    const raw = random.pick(VALUES)(random);
    holder[MARK] = MARK;
    return JSON.stringify(root).replace(`"${MARK}":"${MARK}"`, () => `${JSON.stringify(key)}:${raw}`);
  },
  swapped: (root, random) => {
    const [a, b] = [pickPlace(root, random), pickPlace(root, random)];
    [a.holder[a.key], b.holder[b.key]] = [structuredClone(b.holder[b.key]), structuredClone(a.holder[a.key])];
    return JSON.stringify(root);
  },
  whole: (_, random) => random.pick(VALUES)(random),
};

/**
 * @param {string} text JSON
 * @param {Random} random
 * @returns {{ text: string, damage: string }}
 */
export function mutateJson(text, random) {
  const root = JSON.parse(text);
  const isEmpty = typeof root !== "object" || root === null || Object.keys(root).length === 0;
  const damage = isEmpty
    ? "whole"
    : random.pick(Object.keys(DAMAGES).filter((name) => name !== "whole" || random.below(6) === 0));
  return { text: DAMAGES[damage](root, random), damage: `json ${damage}` };
}
