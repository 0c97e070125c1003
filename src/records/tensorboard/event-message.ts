import { doubleField, floatField, integerField, messageField, textField } from "../protobuf.js";
import type { Metrics } from "../run-event.js";
import { crc32c } from "./crc32c.js";

/**
 * The messages of TensorBoard's event files.
 *
 * Reference: `event.proto`, `summary.proto` and `tensor.proto` of TensorBoard 2.20, `tensorboard/compat/proto/`.
 */

const SESSION_START = 1;
const DT_STRING = 7;

const event = (wallTimeS: number, step: number, ...content: readonly Buffer[]): Buffer =>
  Buffer.concat([doubleField(1, wallTimeS), integerField(2, step), ...content]);

/** The first event of every file: its format. */
export const fileVersionEvent = (wallTimeS: number): Buffer => event(wallTimeS, 0, textField(3, "brain.Event:2"));

/** Says that what earlier files hold at `step` and later is superseded by what follows. */
export const sessionStartEvent = (wallTimeS: number, step: number): Buffer =>
  event(wallTimeS, step, messageField(7, integerField(1, SESSION_START)));

/** Scalars of a step. TensorBoard holds them in single precision; NaN and the infinities survive. */
export const scalarsEvent = (wallTimeS: number, step: number, metrics: Metrics): Buffer =>
  event(
    wallTimeS,
    step,
    messageField(
      5,
      ...Object.entries(metrics).map(([name, value]) => messageField(1, textField(1, name), floatField(2, value))),
    ),
  );

/** A text in Markdown, for the dashboard's page of texts. */
export function textEvent(wallTimeS: number, step: number, name: string, markdown: string): Buffer {
  const metadata = messageField(9, messageField(1, textField(1, "text")));
  const shape = messageField(2, messageField(2, integerField(1, 1)));
  const tensor = messageField(8, integerField(1, DT_STRING), shape, textField(8, markdown));
  return event(wallTimeS, step, messageField(5, messageField(1, textField(1, name), tensor, metadata)));
}

function maskedChecksum(bytes: Uint8Array): Buffer {
  const crc = crc32c(bytes);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return checksum;
}

/**
 * A record as event files frame it: length, its checksum, data, its checksum.
 *
 * Reference: `tensorflow/core/lib/io/record_writer.cc`
 */
export function frameEvent(message: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(message.length));
  return Buffer.concat([length, maskedChecksum(length), message, maskedChecksum(message)]);
}
