/** Tensors on libtorch: everything above this folder imports it from here. */
export { backward, enableGrad, grad, inference, isGradEnabled, noGrad } from "./autograd.js";
export {
  defaultDevice,
  expectDevice,
  isDeviceAvailable,
  numThreads,
  peakMemoryBytes,
  setFloat32MatmulPrecision,
  setNumThreads,
  synchronize,
  torchVersion,
} from "./device.js";
export { type DType, isFloatingPoint, LOWEST_FLOAT32 } from "./dtype.js";
export { Generator } from "./generator.js";
export { declaredSchemas, linkedSchema, op } from "./operator.js";
export * from "./ops/attention.js";
export * from "./ops/conv.js";
export * from "./ops/create.js";
export * from "./ops/foreach.js";
export * from "./ops/layout.js";
export * from "./ops/matmul.js";
export * from "./ops/normalize.js";
export * from "./ops/pointwise.js";
export * from "./ops/reduce.js";
export * from "./ops/select.js";
export { recompute } from "./recompute.js";
export { mapSafetensors, tensorSource } from "./safetensors.js";
export { disposeAll, forEachTensor, keep, scope } from "./scope.js";
export { expectShape } from "./shape.js";
export { numLiveTensors, Tensor, tensor, tensorFromHost } from "./tensor.js";
