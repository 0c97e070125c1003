// What one JavaScript environment owns. Each worker thread has its own; nothing here is shared between threads.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <node_api.h>

#include <memory>
#include <mutex>
#include <vector>

#include "guard.h"
#include "handle_table.h"

namespace bridge {

// References to JavaScript functions that another thread was the last to hold, and so could not give back.
struct ForgottenFunctions {
  std::mutex mutex;
  std::vector<napi_ref> references;
};

struct Environment {
  HandleTable<at::Tensor> tensors{"tensor"};
  HandleTable<at::Generator> generators{"generator"};
  std::vector<c10::OperatorHandle> operators;
  std::vector<std::unique_ptr<c10::InferenceMode>> inferenceScopes;
  std::shared_ptr<ForgottenFunctions> forgottenFunctions = std::make_shared<ForgottenFunctions>();

  static Environment& of(napi_env env) {
    void* data = nullptr;
    check(env, napi_get_instance_data(env, &data));
    return *static_cast<Environment*>(data);
  }
};

}  // namespace bridge
