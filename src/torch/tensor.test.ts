import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShapeError, TorchError } from "../support/errors.js";
import { HOST_DTYPES, type HostArray, hostArray, zerosOnHost } from "../support/host-array.js";
import { codeOfDtype } from "./dtype.js";
import {
  addScalar,
  defaultDevice,
  expectDevice,
  isDeviceAvailable,
  numLiveTensors,
  numThreads,
  ones,
  peakMemoryBytes,
  setNumThreads,
  synchronize,
  Tensor,
  tensor,
  tensorFromHost,
  toDevice,
  toDtype,
  torchVersion,
  transpose,
} from "./index.js";
import { native } from "./native.js";

const bits = (array: HostArray): Uint8Array =>
  new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);

describe("host arrays", () => {
  it.each(HOST_DTYPES)("come back bit for bit from tensors of %s", (dtype) => {
    const array = zerosOnHost(dtype, [3, 2]);
    bits(array).forEach((_, i, bytes) => {
      bytes[i] = dtype === "bool" ? i % 2 : (37 * i + 11) % 256; // any pattern of bits, NaN included
    });
    using x = tensorFromHost(array);
    expect(x).toMatchObject({ dtype, shape: [3, 2], device: "cpu", numElements: 6 });
    const back = x.toHost();
    expect(back).toMatchObject({ dtype, shape: [3, 2] });
    expect(bits(back)).toEqual(bits(array));
  });

  it("are copied, so that writing to one leaves the other alone", () => {
    const data = Float32Array.of(1, 2);
    using x = tensorFromHost(hostArray("float32", [2], data));
    data[0] = 9;
    const copy = x.toHost();
    copy.data[1] = 9;
    expect(x.toNumbers()).toEqual([1, 2]);
  });

  it.each<[number[]]>([[[]], [[0]], [[2, 0, 3]], [[1, 1, 1]]])("of shape %j come back", (shape) => {
    using x = tensorFromHost(zerosOnHost("float32", shape));
    expect(x.toHost()).toEqual(zerosOnHost("float32", shape));
  });

  it("may be windows of larger buffers", () => {
    const window = Float32Array.of(0, 1, 2, 3, 4).subarray(1, 3);
    expect(tensorFromHost({ dtype: "float32", shape: [2], data: window }).toNumbers()).toEqual([1, 2]);
  });

  it("whose data does not fit shape or dtype are refused", () => {
    expect(() => tensor([1, 2], [3])).toThrow(new ShapeError("hostArray: expected 3 entries for shape [3], got 2"));
    expect(() => tensorFromHost({ dtype: "int64", shape: [1], data: new Float32Array(1) })).toThrow(
      new ShapeError("hostArray: expected BigInt64Array for int64, got Float32Array"),
    );
    expect(() => tensor([1], [-1, -1])).toThrow("torch.tensorFromHost: expected sizes of at least 0, got -1");
    expect(() => tensor([1], [1], "complex64" as "float32")).toThrow(/expected a dtype of .*, got complex64/);
  });
});

describe("the bridge", () => {
  it("takes no bytes that go away while their shape is read", () => {
    const bytes = new Uint8Array(64 * 2 ** 20);
    const shape = [bytes.length];
    Object.defineProperty(shape, 0, {
      get() {
        structuredClone(bytes, { transfer: [bytes.buffer] });
        return 64 * 2 ** 20;
      },
    });
    expect(() => native.tensorFromBytes(bytes, codeOfDtype("uint8"), shape)).toThrow("expected 67108864 bytes, got 0");
  });

  it("gives no entries of a tensor that holds none", () => {
    const zeros = native.resolveOperator("aten::_efficientzerotensor");
    const handle = native.callOperator(zeros, [2, 2], codeOfDtype("float32")) as number;
    expect(() => native.tensorBytes(handle)).toThrow("expected a tensor that holds its entries");
    native.freeTensor(handle);
  });
});

describe("tensor", () => {
  it.each(["float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool"] as const)(
    "writes and reads numbers as %s",
    (dtype) => expect(tensor([1, 0], [2, 1], dtype).toNumbers()).toEqual([1, 0]),
  );

  it.each(["float16", "bfloat16"] as const)("refuses numbers of %s in both directions and says what to do", (dtype) => {
    expect(() => tensor([1], [1], dtype)).toThrow(/JavaScript can write, got b?float16. Make float32 and convert/);
    using half = toDtype(ones([1]), dtype);
    expect(() => half.toNumbers()).toThrow(/JavaScript can read, got b?float16. Convert to float32 first/);
    expect(() => half.item()).toThrow(TorchError);
    expect(toDtype(half, "float32").item()).toBe(1);
  });

  it("rounds to bfloat16 and float16 to nearest even", () => {
    const rounded = (value: number, dtype: "bfloat16" | "float16"): number =>
      toDtype(toDtype(tensor([value]), dtype), "float32").item();
    expect(rounded(1 + 2 ** -8, "bfloat16")).toBe(1); // halfway between 1 and 1 + 2^-7
    expect(rounded(1 + 3 * 2 ** -8, "bfloat16")).toBe(1 + 2 ** -6);
    expect(rounded(1 + 2 ** -11, "float16")).toBe(1);
    expect(rounded(70_000, "float16")).toBe(Number.POSITIVE_INFINITY);
  });

  it("is the same tensor after a conversion to the type it has", () => {
    using x = ones([1]);
    expect(toDtype(x, "float32")).toBe(x);
  });

  it("reads row-major whatever the layout in memory", () => {
    expect(transpose(tensor([1, 2, 3, 4, 5, 6], [2, 3]), 0, 1).toNumbers()).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it("keeps whole numbers of 64 bits exact in host arrays", () => {
    const data = BigInt64Array.of(2n ** 62n + 1n, -(2n ** 63n));
    expect(tensorFromHost({ dtype: "int64", shape: [2], data }).toHost().data).toEqual(data);
  });

  it("gives one number as an item, and refuses more or fewer", () => {
    expect(tensor([7], []).item()).toBe(7);
    expect(() => tensor([1, 2]).item()).toThrow("torch.item: expected one element, got shape [2]");
    expect(() => tensor([]).item()).toThrow("got shape [0]");
  });

  it("tells sizes from both ends, and which dimension it lacks", () => {
    const x = ones([2, 3]);
    expect([x.size(0), x.size(-1)]).toEqual([2, 3]);
    expect(() => x.size(2)).toThrow("torch.size: [2, 3] has no dimension 2");
    expect(() => x.size(-3)).toThrow(TorchError);
  });

  it("refuses everything after its disposal", () => {
    const x = ones([2]);
    x.dispose();
    expect(x.isDisposed).toBe(true);
    for (const use of [() => x.shape, () => x.dtype, () => x.device, () => x.toHost(), () => x.requiresGrad]) {
      expect(use).toThrow(new TorchError("tensor", "torch: expected a live tensor, got a disposed one"));
    }
  });

  it("cannot be forged from a number that is no live handle", () => {
    const gone = ones([1]);
    const stale = gone.handle;
    gone.dispose();
    using replacement = ones([1]); // takes the freed slot
    expect(replacement.handle).not.toBe(stale);
    const before = numLiveTensors();
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.nat(), fc.constant(stale)), (handle) => {
        fc.pre(handle !== replacement.handle);
        expect(() => new Tensor(handle).shape).toThrow(
          "expected a live tensor, got one that was disposed or never made",
        );
      }),
    );
    expect(numLiveTensors()).toBe(before);
  });
});

describe("devices", () => {
  it("always hold the CPU, and never what libtorch does not know", () => {
    expect(["cpu", "cpu:0"].map(isDeviceAvailable)).toEqual([true, true]);
    expect(["cpu:1", "abacus", "", "cuda:", "cuda:x", "cuda:-1", "cuda:999", "CPU"].map(isDeviceAvailable)).toEqual(
      Array(8).fill(false),
    );
    expect(isDeviceAvailable(defaultDevice())).toBe(true);
  });

  it("are named in the error about one there is not", () => {
    expect(expectDevice("cpu", "policy.device")).toBe("cpu");
    expect(() => expectDevice("cuda:999", "policy.device")).toThrow(
      /^policy.device: expected a device this libtorch can use \(cpu.*\), got "cuda:999"$/,
    );
    expect(() => synchronize("abacus")).toThrow(TorchError);
    expect(() => peakMemoryBytes("abacus")).toThrow(/^torch.peakMemoryBytes: .*abacus/);
  });

  it("can be waited for", () => {
    synchronize(defaultDevice());
    const peak = peakMemoryBytes(defaultDevice());
    if (defaultDevice() === "cpu") expect(peak).toBeUndefined();
    else expect(peak).toBeGreaterThan(0);
  });

  it("give back what they are given", () => {
    expect(toDevice(tensor([1, 2]), defaultDevice()).toNumbers()).toEqual([1, 2]);
    expect(addScalar(toDevice(tensor([1]), defaultDevice()), 1).item()).toBe(2);
  });
});

describe("threads", () => {
  it("are as many as were asked for, and at least one", () => {
    const before = numThreads();
    setNumThreads(1);
    expect(numThreads()).toBe(1);
    expect(() => setNumThreads(0)).toThrow(/^torch.setNumThreads: .*positive/);
    // More than the machine can start, and OpenMP ends the process.
    expect(() => setNumThreads(2 ** 31 - 1)).toThrow("expected at most 1024 threads, got 2147483647");
    expect(() => setNumThreads(1.5)).toThrow("expected an integer, got 1.5");
    setNumThreads(before);
  });

  it("belong to a libtorch of version 2", () => expect(torchVersion()).toMatch(/^2\.\d+\.\d+/));
});
