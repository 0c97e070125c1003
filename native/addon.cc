// Table of contents: every function JavaScript can call. The bridge knows tensors, never models.
#include <algorithm>

#include "autograd.h"
#include "call_op.h"
#include "convert.h"
#include "device.h"
#include "recompute.h"
#include "tensor.h"

namespace bridge {
namespace {

using Function = napi_value (*)(napi_env, size_t, napi_value*);

template <Function function, size_t numRequired>
napi_value entry(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value args[kMaxArguments + 1];
    size_t count = kMaxArguments + 1;
    check(env, napi_get_cb_info(env, info, &count, args, nullptr, nullptr));
    TORCH_CHECK(count >= numRequired, "expected ", numRequired, " arguments, got ", count);
    TORCH_CHECK(count <= kMaxArguments + 1, "expected at most ", kMaxArguments, " arguments");
    return function(env, count, args);
  });
}

struct Export {
  const char* name;
  napi_callback callback;
};

constexpr Export kExports[] = {
    {"operatorSchema", entry<operatorSchema, 1>},
    {"resolveOperator", entry<resolveOperator, 1>},
    {"callOperator", entry<callOperator, 1>},
    {"tensorFromBytes", entry<tensorFromBytes, 3>},
    {"tensorBytes", entry<tensorBytes, 1>},
    {"tensorShape", entry<tensorShape, 1>},
    {"tensorDtype", entry<tensorDtype, 1>},
    {"tensorDevice", entry<tensorDevice, 1>},
    {"freeTensor", entry<freeTensor, 1>},
    {"numLiveTensors", entry<numLiveTensors, 0>},
    {"mapTensors", entry<mapTensors, 2>},
    {"setGradEnabled", entry<setGradEnabled, 1>},
    {"enterInference", entry<enterInference, 0>},
    {"leaveInference", entry<leaveInference, 0>},
    {"setRequiresGrad", entry<setRequiresGrad, 2>},
    {"requiresGrad", entry<requiresGrad, 1>},
    {"gradOf", entry<gradOf, 1>},
    {"setGrad", entry<setGrad, 2>},
    {"backward", entry<backward, 3>},
    {"grad", entry<grad, 5>},
    {"recompute", entry<recompute, 3>},
    {"numDevices", entry<numDevices, 1>},
    {"synchronize", entry<synchronize, 1>},
    {"peakMemory", entry<peakMemory, 1>},
    {"setNumThreads", entry<setNumThreads, 1>},
    {"numThreads", entry<numThreads, 0>},
    {"setFloat32MatmulPrecision", entry<setFloat32MatmulPrecision, 1>},
    {"torchVersion", entry<torchVersion, 0>},
    {"newGenerator", entry<newGenerator, 2>},
    {"freeGenerator", entry<freeGenerator, 1>},
    {"generatorState", entry<generatorState, 1>},
    {"setGeneratorState", entry<setGeneratorState, 2>},
};

}  // namespace
}  // namespace bridge

NAPI_MODULE_INIT() {
  return bridge::guarded(env, [&] {
    bridge::check(env, napi_set_instance_data(
                           env, new bridge::Environment(),
                           [](napi_env, void* data, void*) { delete static_cast<bridge::Environment*>(data); }, nullptr));
    for (const auto& item : bridge::kExports) {
      napi_value function;
      bridge::check(env, napi_create_function(env, item.name, NAPI_AUTO_LENGTH, item.callback, nullptr, &function));
      bridge::check(env, napi_set_named_property(env, exports, item.name, function));
    }
    return exports;
  });
}
