// Calls any operator of libtorch by its schema name, through the dispatcher, boxed; autograd included.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include "convert.h"

namespace bridge {

inline constexpr size_t kMaxArguments = 64;

inline std::optional<c10::OperatorHandle> findOperator(const std::string& name) {
  const size_t dot = name.find('.');
  return c10::Dispatcher::singleton().findSchema(
      {name.substr(0, dot), dot == std::string::npos ? std::string() : name.substr(dot + 1)});
}

// (name) -> schema text, or null if the linked libtorch has no such operator
inline napi_value operatorSchema(napi_env env, size_t, napi_value* args) {
  const auto op = findOperator(toString(env, args[0]));
  if (!op || !op->hasSchema()) return null(env);
  std::ostringstream text;
  text << op->schema();
  return fromString(env, text.str());
}

// (name) -> number to call it by
inline napi_value resolveOperator(napi_env env, size_t, napi_value* args) {
  const std::string name = toString(env, args[0]);
  const auto op = findOperator(name);
  TORCH_CHECK(op && op->hasSchema(), "the linked libtorch has no operator ", name);
  auto& operators = Environment::of(env).operators;
  operators.push_back(*op);
  return fromDouble(env, static_cast<double>(operators.size() - 1));
}

// (operator number, ...arguments in schema order; absent or undefined ones take the schema's default) -> result or array
inline napi_value callOperator(napi_env env, size_t count, napi_value* args) {
  const auto& operators = Environment::of(env).operators;
  const int64_t id = toInt(env, args[0]);
  TORCH_CHECK(id >= 0 && static_cast<size_t>(id) < operators.size(), "no operator has the number ", id);
  const c10::OperatorHandle op = operators[id];  // a copy: reading an argument may run JavaScript that adds operators
  const auto& parameters = op.schema().arguments();
  const size_t numGiven = count - 1;
  TORCH_CHECK(numGiven <= parameters.size(), "expected at most ", parameters.size(), " arguments, got ", numGiven);
  torch::jit::Stack stack;
  stack.reserve(parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto& parameter = parameters[i];
    if (i >= numGiven || typeOf(env, args[i + 1]) == napi_undefined) {
      TORCH_CHECK(parameter.default_value() || parameter.type()->kind() == c10::TypeKind::OptionalType,
                  "argument \"", parameter.name(), "\" is missing");
      stack.push_back(parameter.default_value() ? *parameter.default_value() : c10::IValue());
      continue;
    }
    try {
      // The real type: in the other one, enumerations are plain integers.
      stack.push_back(toIValue(env, args[i + 1], parameter.real_type()));
    } catch (c10::Error& error) {
      error.add_context("at argument \"" + parameter.name() + "\"");
      throw;
    }
  }
  op.callBoxed(stack);
  if (stack.size() == 1) return fromIValue(env, stack[0]);
  return fromList(env, stack, [&](const c10::IValue& value) { return fromIValue(env, value); });
}

}  // namespace bridge
