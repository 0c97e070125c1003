// Damage to the bytes of a file: flips, cuts, insertions, lengths that are not true.

/** @typedef {ReturnType<typeof import("./random.mjs").randomOf>} Random */

const EXTREME = [0, 1, 2, 7, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** A place in a file, mostly in its head or tail, where the structure is. @param {number} length @param {Random} random */
function placeIn(length, random) {
  const end = Math.min(length, 2500);
  return random.pick([
    () => random.below(length),
    () => random.below(Math.min(length, 256)),
    () => random.below(end),
    () => length - 1 - random.below(end),
  ])();
}

/** @param {Buffer} bytes @param {Random} random */
function writeExtreme(bytes, at, random) {
  const value = random.below(4) === 0 ? random.below(2 ** 32) : random.pick(EXTREME);
  const size = random.pick([1, 2, 4, 4, 8]);
  if (at + size > bytes.length) return;
  if (size === 8)
    bytes.writeBigUInt64LE(random.below(2) === 0 ? BigInt(value) : (BigInt(value) << 32n) | 0xffffffffn, at);
  else if (random.below(2) === 0) bytes.writeUIntLE(value % 256 ** size, at, size);
  else bytes.writeUIntBE(value % 256 ** size, at, size);
}

const run = (/** @type {number} */ length, /** @type {Random} */ random) => {
  const start = placeIn(length, random);
  return [start, Math.min(length, start + 1 + random.below(random.pick([4, 64, 4096])))];
};

/** @type {Record<string, (bytes: Buffer, random: Random) => Buffer>} */
const DAMAGES = {
  flip: (bytes, random) => {
    for (let n = 1 + random.below(8); n > 0; n--) bytes[placeIn(bytes.length, random)] ^= 1 << random.below(8);
    return bytes;
  },
  replace: (bytes, random) => {
    for (let n = 1 + random.below(8); n > 0; n--)
      bytes[placeIn(bytes.length, random)] = random.pick([0, 255, random.below(256)]);
    return bytes;
  },
  blank: (bytes, random) => bytes.fill(random.pick([0, 255, 32]), ...run(bytes.length, random)),
  "false length": (bytes, random) => {
    for (let n = 1 + random.below(3); n > 0; n--) writeExtreme(bytes, placeIn(bytes.length, random), random);
    return bytes;
  },
  truncate: (bytes, random) => bytes.subarray(0, random.pick([0, 1, 8, random.below(bytes.length), bytes.length - 1])),
  behead: (bytes, random) => bytes.subarray(random.below(Math.min(bytes.length, 64))),
  insert: (bytes, random) => {
    const at = placeIn(bytes.length, random);
    const more = Buffer.from(
      Array.from({ length: 1 + random.below(random.pick([4, 64, 4096])) }, () => random.below(256)),
    );
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  remove: (bytes, random) => {
    const [from, to] = run(bytes.length, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  repeat: (bytes, random) => {
    const [from, to] = run(bytes.length, random);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
};

/** @param {Buffer} original not changed @param {Random} random @returns {{ bytes: Buffer, damage: string }} */
export function mutateBytes(original, random) {
  const damage = random.pick(Object.keys(DAMAGES));
  const bytes = Buffer.from(original);
  return { bytes: bytes.length === 0 ? bytes : DAMAGES[damage](bytes, random), damage };
}

const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "stbl", "stsd", "dinf", "edts", "udta", "av01", "mvex"]);

/** Where the boxes of an mp4 begin and end. @param {Buffer} bytes @returns {{ start: number, end: number }[]} */
function boxesOf(bytes, from = 0, to = bytes.length) {
  const boxes = [];
  for (let at = from; at + 8 <= to; ) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > to) break;
    boxes.push({ start: at, end: at + size });
    const type = bytes.toString("latin1", at + 4, at + 8);
    // A sample description counts its entries first; a picture's description lies before its boxes.
    const inner = type === "stsd" ? 16 : type === "av01" ? 86 : 8;
    if (CONTAINERS.has(type)) boxes.push(...boxesOf(bytes, at + inner, at + size));
    at += size;
  }
  return boxes;
}

/** Damage to the structure of an mp4: sizes, types and fields of its boxes. @param {Buffer} original @param {Random} random */
export function mutateMp4(original, random) {
  const bytes = Buffer.from(original);
  const boxes = boxesOf(bytes);
  for (let n = 1 + random.below(3); n > 0; n--) {
    const { start, end } = random.pick(boxes);
    const length = Math.min(end - start - 8, 64);
    random.pick([
      () => bytes.writeUInt32BE(random.pick(EXTREME), start),
      () => bytes.writeUInt32BE((end - start + random.below(64) - 32) >>> 0, start),
      () =>
        bytes.write(random.pick(["free", "moov", "stbl", "av01", "hev1", "vp09", "mdat", "stts"]), start + 4, "latin1"),
      () =>
        length >= 4 && bytes.writeUInt32BE(random.pick(EXTREME), start + 8 + 4 * random.below(Math.floor(length / 4))),
      () =>
        length >= 4 && bytes.writeUInt16BE(random.below(65536), start + 8 + 2 * random.below(Math.floor(length / 2))),
    ])();
  }
  return { bytes, damage: "box" };
}
