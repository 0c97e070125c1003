// Gradients: the recording switch, inference scopes, backward passes.
#pragma once

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "convert.h"

namespace bridge {

// (enabled) -> whether recording was enabled before
inline napi_value setGradEnabled(napi_env env, size_t, napi_value* args) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(toBool(env, args[0]));
  return fromBool(env, before);
}

inline napi_value enterInference(napi_env env, size_t, napi_value*) {
  Environment::of(env).inferenceScopes.push_back(std::make_unique<c10::InferenceMode>(true));
  return nullptr;
}

inline napi_value leaveInference(napi_env env, size_t, napi_value*) {
  auto& scopes = Environment::of(env).inferenceScopes;
  TORCH_CHECK(!scopes.empty(), "no inference scope is open");
  scopes.pop_back();
  return nullptr;
}

inline napi_value setRequiresGrad(napi_env env, size_t, napi_value* args) {
  const at::Tensor tensor = toTensor(env, args[0]);
  const bool value = toBool(env, args[1]);
  TORCH_CHECK(value || tensor.is_leaf(), "a tensor that was computed from others cannot stop requiring a gradient; detach it");
  tensor.set_requires_grad(value);
  return nullptr;
}

inline napi_value requiresGrad(napi_env env, size_t, napi_value* args) {
  return fromBool(env, toTensor(env, args[0]).requires_grad());
}

// (handle) -> handle of the accumulated gradient, or null
inline napi_value gradOf(napi_env env, size_t, napi_value* args) { return fromTensor(env, toTensor(env, args[0]).grad()); }

// (handle, gradient handle or null)
inline napi_value setGrad(napi_env env, size_t, napi_value* args) {
  at::Tensor tensor = toTensor(env, args[0]);
  const at::Tensor grad = isNullish(env, args[1]) ? at::Tensor() : toTensor(env, args[1]);
  TORCH_CHECK(!grad.defined() || (grad.sizes() == tensor.sizes() && grad.scalar_type() == tensor.scalar_type() &&
                                  grad.device() == tensor.device()),
              "expected a gradient of the tensor's own shape, dtype and device");
  tensor.mutable_grad() = grad;
  return nullptr;
}

inline std::vector<at::Tensor> optionalTensors(napi_env env, napi_value value) {
  return isNullish(env, value) ? std::vector<at::Tensor>() : toTensors(env, value);
}

// (outputs, output gradients or null, retain graph): accumulates into the leaves
inline napi_value backward(napi_env env, size_t, napi_value* args) {
  torch::autograd::backward(toTensors(env, args[0]), optionalTensors(env, args[1]), toBool(env, args[2]));
  return nullptr;
}

// (outputs, inputs, output gradients or null, retain graph, create graph) -> gradients; null where an input is unused
inline napi_value grad(napi_env env, size_t, napi_value* args) {
  const auto gradients = torch::autograd::grad(toTensors(env, args[0]), toTensors(env, args[1]),
                                               optionalTensors(env, args[2]), toBool(env, args[3]),
                                               toBool(env, args[4]), /*allow_unused=*/true);
  return fromList(env, gradients, [&](const at::Tensor& gradient) { return fromTensor(env, gradient); });
}

}  // namespace bridge
