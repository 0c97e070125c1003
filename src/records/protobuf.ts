/**
 * Protocol Buffers' wire format, as much of it as the files of TensorBoard and Weights & Biases need: a message is the
 * concatenation of its fields, and a field is its number, its wire type and its value.
 *
 * Reference: https://protobuf.dev/programming-guides/encoding/
 */

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const FIXED_32 = 5;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const tag = (field: number, wireType: number): Buffer => varint(field * 8 + wireType);

/** An int32, int64, uint32, bool or enum that is a safe integer and not negative. */
export const integerField = (field: number, value: number): Buffer =>
  Buffer.concat([tag(field, VARINT), varint(value)]);

export function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, FIXED_64), bytes]);
}

export function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tag(field, FIXED_32), bytes]);
}

export function textField(field: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([tag(field, LENGTH), varint(bytes.length), bytes]);
}

/** A message within a message. */
export function messageField(field: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([tag(field, LENGTH), varint(length), ...parts]);
}

/** A field as it is stored: integers as numbers, everything else as bytes. */
export interface RawField {
  readonly field: number;
  readonly value: number | Buffer;
}

/** The fields of a message in their order. @throws RangeError if the bytes are no message */
export function readFields(message: Buffer): RawField[] {
  const fields: RawField[] = [];
  let offset = 0;
  const take = (length: number): Buffer => {
    if (offset + length > message.length) throw new RangeError("the message ends inside a field");
    offset += length;
    return message.subarray(offset - length, offset);
  };
  const takeVarint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = take(1)[0]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const key = takeVarint();
    const field = Math.floor(key / 8);
    const wireType = key % 8;
    if (wireType === VARINT) fields.push({ field, value: takeVarint() });
    else if (wireType === LENGTH) fields.push({ field, value: take(takeVarint()) });
    else if (wireType === FIXED_64) fields.push({ field, value: take(8) });
    else if (wireType === FIXED_32) fields.push({ field, value: take(4) });
    else throw new RangeError(`there is no wire type ${wireType}`);
  }
  return fields;
}
