// One funnel for errors: whatever C++ throws becomes one JavaScript error, and nothing thrown crosses the C boundary.
#pragma once

#include <c10/util/Exception.h>
#include <node_api.h>

#include <exception>
#include <new>
#include <string>

namespace bridge {

// Thrown when a JavaScript error is already pending; the funnel then only returns. Derived, because libtorch carries only
// standard exceptions out of a backward pass.
struct PendingJsError : std::exception {};

inline void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw PendingJsError{};
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw std::runtime_error(info && info->error_message ? info->error_message : "Node-API call failed");
}

template <typename F>
napi_value guarded(napi_env env, F&& body) noexcept {
  try {
    return body();
  } catch (const PendingJsError&) {
  } catch (const c10::Error& error) {
    napi_throw_error(env, "ERR_TORCH", error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_TORCH", "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_TORCH", error.what());
  } catch (...) {
    napi_throw_error(env, "ERR_TORCH", "unknown C++ exception");
  }
  return nullptr;
}

}  // namespace bridge
