import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { doubleField, floatField, integerField, messageField, readFields, textField } from "./protobuf.js";

const field = fc.integer({ min: 1, max: 5_000 });

describe("a message", () => {
  it("has the bytes of the reference's examples", () => {
    expect(integerField(1, 150).toString("hex")).toBe("089601");
    expect(textField(2, "testing").toString("hex")).toBe("120774657374696e67");
    expect(messageField(3, integerField(1, 150)).toString("hex")).toBe("1a03089601");
  });

  it("reads back what was written, whole numbers up to the largest safe one", () => {
    fc.assert(
      fc.property(
        field,
        fc.maxSafeNat(),
        fc.string({ unit: "binary" }),
        fc.double(),
        (number, integer, text, double) => {
          const message = Buffer.concat([
            integerField(number, integer),
            messageField(number, textField(1, text)),
            doubleField(number, double),
            floatField(number, 0.5),
          ]);
          const [first, second, third, fourth, ...rest] = readFields(message).map(({ value }) => value);
          expect(first).toBe(integer);
          expect(String(readFields(second as Buffer)[0]?.value)).toBe(text);
          expect((third as Buffer).readDoubleLE()).toBe(double);
          expect((fourth as Buffer).readFloatLE()).toBe(0.5);
          expect(rest).toEqual([]);
          expect(readFields(message).every((read) => read.field === number)).toBe(true);
        },
      ),
    );
  });

  it("is refused when it ends inside a field, or has a wire type that does not exist", () => {
    const message = textField(1, "testing");
    for (let length = 1; length < message.length; length++) {
      expect(() => readFields(message.subarray(0, length))).toThrow("the message ends inside a field");
    }
    expect(() => readFields(Buffer.from([0x0f]))).toThrow("there is no wire type 7");
  });
});
