// Recomputation in a backward pass: a step of the gradient graph whose gradients a JavaScript function computes.
//
// JavaScript runs on its own thread alone, but libtorch runs a step of the graph on a thread of the device that its
// gradient is on. Therefore there are two: Delivery takes the gradient, wherever it is, and hands a token on the CPU to
// Recomputation, which libtorch then runs on the thread that asked for the backward pass.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <functional>
#include <mutex>
#include <thread>

#include "convert.h"

namespace bridge {

// A JavaScript function that a gradient graph holds. Another thread may hold the graph last: its reference then waits
// until JavaScript's own thread comes by.
class HeldFunction : public torch::CustomClassHolder {
 public:
  HeldFunction(napi_env env, napi_value function) : env_(env), bin_(Environment::of(env).forgottenFunctions) {
    napi_valuetype type;
    check(env, napi_typeof(env, function, &type));
    TORCH_CHECK(type == napi_function, "expected a function");
    check(env, napi_create_reference(env, function, 1, &reference_));
    std::vector<napi_ref> forgotten;
    {
      const std::lock_guard lock(bin_->mutex);
      forgotten.swap(bin_->references);
    }
    for (napi_ref reference : forgotten) napi_delete_reference(env, reference);
  }

  ~HeldFunction() override {
    if (std::this_thread::get_id() == thread_) {
      napi_delete_reference(env_, reference_);
    } else {
      const std::lock_guard lock(bin_->mutex);
      bin_->references.push_back(reference_);
    }
  }

  HeldFunction(const HeldFunction&) = delete;
  HeldFunction& operator=(const HeldFunction&) = delete;

  // Hands over the gradient of the result and what was saved, as new handles; takes one gradient for each of the latter.
  std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& saved) {
    TORCH_CHECK(std::this_thread::get_id() == thread_, "recomputation belongs to the thread that recorded it");
    TORCH_CHECK(!c10::GradMode::is_enabled(), "second derivatives cannot be taken through a recomputation");
    if (!gradient.defined()) return std::vector<at::Tensor>(saved.size());
    const HandleScope scope(env_);
    const auto handle = [&](const at::Tensor& tensor) { return fromTensor(env_, tensor); };
    napi_value args[2] = {handle(std::exchange(gradient, {})), fromList(env_, saved, handle)};
    napi_value function, global, result;
    check(env_, napi_get_reference_value(env_, reference_, &function));
    check(env_, napi_get_global(env_, &global));
    const c10::AutoGradMode unchanged(false);  // whatever the function switches is switched back
    // What the function throws stays pending, and is what the caller of the backward pass gets.
    check(env_, napi_call_function(env_, global, function, 2, args, &result));
    std::vector<at::Tensor> taken;
    forEachElement(env_, result, [&](napi_value element) {
      if (isNullish(env_, element)) {
        taken.emplace_back();
      } else {
        taken.push_back(toTensor(env_, element));
        Environment::of(env_).tensors.erase(toDouble(env_, element));
      }
    });
    TORCH_CHECK(taken.size() == saved.size(), "expected ", saved.size(), " gradients, got ", taken.size());
    return taken;
  }

  at::Tensor gradient;  // of the result, between delivery and recomputation

 private:
  napi_env env_;
  napi_ref reference_ = nullptr;
  std::thread::id thread_ = std::this_thread::get_id();
  std::shared_ptr<ForgottenFunctions> bin_;
};

using Held = c10::intrusive_ptr<HeldFunction>;
inline constexpr char kFunction[] = "function";

inline Held functionOf(torch::autograd::AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<HeldFunction>(context->saved_data.at(kFunction).toCapsule());
}

struct Recomputation : torch::autograd::Function<Recomputation> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const Held& function,
                            at::TensorList inputs) {
    context->saved_data[kFunction] = c10::IValue::make_capsule(function);
    context->save_for_backward(inputs.vec());
    return at::zeros({});  // the token
  }

  static std::vector<at::Tensor> backward(torch::autograd::AutogradContext* context, const std::vector<at::Tensor>&) {
    std::vector<at::Tensor> gradients = functionOf(context)->gradients(context->get_saved_variables());
    gradients.insert(gradients.begin(), at::Tensor());  // the function has none
    return gradients;
  }
};

struct Delivery : torch::autograd::Function<Delivery> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const Held& function, const at::Tensor&,
                            const std::function<at::Tensor()>& result) {
    context->saved_data[kFunction] = c10::IValue::make_capsule(function);
    context->set_materialize_grads(false);
    return result();
  }

  static std::vector<at::Tensor> backward(torch::autograd::AutogradContext* context,
                                          const std::vector<at::Tensor>& gradients) {
    functionOf(context)->gradient = gradients.at(0);
    return {at::Tensor(), at::zeros({}), at::Tensor()};
  }
};

// (result computed without recording, tensors that it depends on, function) -> handle of the result, recorded.
// In a backward pass the function gets handles of the result's gradient and of those tensors, which become its own, and
// gives back handles of their gradients (null for none), which become the bridge's.
inline napi_value recompute(napi_env env, size_t, napi_value* args) {
  const at::Tensor result = toTensor(env, args[0]).variable_data();
  const std::vector<at::Tensor> inputs = toTensors(env, args[1]);
  const auto function = c10::make_intrusive<HeldFunction>(env, args[2]);
  const at::Tensor token = Recomputation::apply(function, at::TensorList(inputs));
  return fromTensor(env, Delivery::apply(function, token, [&] { return result; }));
}

}  // namespace bridge
