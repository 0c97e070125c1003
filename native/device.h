// Devices, threads, versions, random generators.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>

#include <algorithm>

#include "convert.h"

namespace bridge {

// (device type, such as "cuda") -> number of devices that can be used now
inline napi_value numDevices(napi_env env, size_t, napi_value* args) {
  const auto type = c10::Device(toString(env, args[0])).type();
  if (!c10::impl::hasDeviceGuardImpl(type)) return fromDouble(env, 0);
  return fromDouble(env, c10::impl::VirtualGuardImpl(type).deviceCount());
}

inline c10::Device toDevice(napi_env env, napi_value value) {
  const c10::Device device(toString(env, value));
  TORCH_CHECK(c10::impl::hasDeviceGuardImpl(device.type()), "the linked libtorch has no device ", device.str());
  return device;
}

// (device): returns when all work queued on it is done
inline napi_value synchronize(napi_env env, size_t, napi_value* args) {
  const auto device = toDevice(env, args[0]);
  if (!device.is_cpu()) {
    const c10::impl::VirtualGuardImpl guard(device.type());
    guard.synchronizeDevice(device.has_index() ? device.index() : guard.getDevice().index());
  }
  return nullptr;
}

// (accelerator device) -> peak bytes allocated since the process began
inline napi_value peakMemory(napi_env env, size_t, napi_value* args) {
  const auto device = toDevice(env, args[0]);
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.has_index() ? device.index() : 0);
  return fromDouble(env, static_cast<double>(stats.allocated_bytes[0].peak));
}

// OpenMP ends the process when the machine has no more threads.
inline constexpr int64_t kMostThreads = 1024;

inline napi_value setNumThreads(napi_env env, size_t, napi_value* args) {
  const int64_t count = toInt(env, args[0]);
  TORCH_CHECK(count <= kMostThreads, "expected at most ", kMostThreads, " threads, got ", count);
  at::set_num_threads(static_cast<int>(std::max<int64_t>(count, 0)));
  return nullptr;
}

inline napi_value numThreads(napi_env env, size_t, napi_value*) { return fromDouble(env, at::get_num_threads()); }

// ("highest" | "high" | "medium"): "high" allows TF32 in float32 matrix products on CUDA
inline napi_value setFloat32MatmulPrecision(napi_env env, size_t, napi_value* args) {
  at::globalContext().setFloat32MatmulPrecision(toString(env, args[0]));
  return nullptr;
}

inline napi_value torchVersion(napi_env env, size_t, napi_value*) { return fromString(env, TORCH_VERSION); }

// (device, seed) -> generator handle
inline napi_value newGenerator(napi_env env, size_t, napi_value* args) {
  const auto device = toDevice(env, args[0]);
  at::Generator generator = device.is_cpu()
      ? at::make_generator<at::CPUGeneratorImpl>()
      : at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(device.index());
  const int64_t seed = toInt(env, args[1]);
  TORCH_CHECK(seed >= 0, "expected a seed of at least 0, got ", seed);
  generator.set_current_seed(static_cast<uint64_t>(seed));
  return fromDouble(env, Environment::of(env).generators.insert(std::move(generator)));
}

inline napi_value freeGenerator(napi_env env, size_t, napi_value* args) {
  Environment::of(env).generators.erase(toDouble(env, args[0]));
  return nullptr;
}

inline napi_value generatorState(napi_env env, size_t, napi_value* args) {
  return fromTensor(env, Environment::of(env).generators.at(toDouble(env, args[0])).get_state());
}

inline napi_value setGeneratorState(napi_env env, size_t, napi_value* args) {
  Environment::of(env).generators.at(toDouble(env, args[0])).set_state(toTensor(env, args[1]));
  return nullptr;
}

}  // namespace bridge
