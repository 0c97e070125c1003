// JavaScript values <-> libtorch values: the only place where types are mapped.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <node_api.h>

#include <cmath>
#include <string>
#include <vector>

#include "environment.h"

namespace bridge {

inline napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

inline double toDouble(napi_env env, napi_value value) {
  double result;
  TORCH_CHECK(napi_get_value_double(env, value, &result) == napi_ok, "expected a number");
  return result;
}

// Integers arrive as JavaScript numbers (exact up to 2^53) or, beyond that, as BigInt.
inline int64_t toInt(napi_env env, napi_value value) {
  if (typeOf(env, value) == napi_bigint) {
    int64_t result;
    bool lossless;
    check(env, napi_get_value_bigint_int64(env, value, &result, &lossless));
    TORCH_CHECK(lossless, "expected an integer of 64 bits");
    return result;
  }
  const double number = toDouble(env, value);
  TORCH_CHECK(std::trunc(number) == number && std::abs(number) <= 9007199254740992.0, "expected an integer, got ", number);
  return static_cast<int64_t>(number);
}

inline bool toBool(napi_env env, napi_value value) {
  bool result;
  TORCH_CHECK(napi_get_value_bool(env, value, &result) == napi_ok, "expected true or false");
  return result;
}

inline std::string toString(napi_env env, napi_value value) {
  size_t length;
  TORCH_CHECK(napi_get_value_string_utf8(env, value, nullptr, 0, &length) == napi_ok, "expected a string");
  std::string result(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, result.data(), length + 1, &length));
  return result;
}

// JavaScript has one number type: whole numbers become integer scalars, so that they never promote an integer tensor.
inline at::Scalar toScalar(napi_env env, napi_value value) {
  if (typeOf(env, value) == napi_boolean) return at::Scalar(toBool(env, value));
  const double number = toDouble(env, value);
  const bool isWhole = std::trunc(number) == number && std::abs(number) <= 9007199254740992.0 && !(number == 0 && std::signbit(number));
  return isWhole ? at::Scalar(static_cast<int64_t>(number)) : at::Scalar(number);
}

// Frees the JavaScript handles made while it lives. Must close on errors too: Node aborts if one stays open.
class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { check(env, napi_open_handle_scope(env, &scope_)); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_;
};

template <typename F>
void forEachElement(napi_env env, napi_value array, F&& visit) {
  bool isArray = false;
  check(env, napi_is_array(env, array, &isArray));
  TORCH_CHECK(isArray, "expected an array");
  uint32_t length;
  check(env, napi_get_array_length(env, array, &length));
  for (uint32_t i = 0; i < length; ++i) {
    const HandleScope scope(env);
    napi_value element;
    check(env, napi_get_element(env, array, i, &element));
    visit(element);
  }
}

inline bool isNullish(napi_env env, napi_value value) {
  const napi_valuetype type = typeOf(env, value);
  return type == napi_null || type == napi_undefined;
}

inline at::Tensor toTensor(napi_env env, napi_value value) {
  return Environment::of(env).tensors.at(toDouble(env, value));
}

inline std::vector<at::Tensor> toTensors(napi_env env, napi_value value) {
  std::vector<at::Tensor> tensors;
  forEachElement(env, value, [&](napi_value element) { tensors.push_back(toTensor(env, element)); });
  return tensors;
}

inline std::vector<int64_t> toInts(napi_env env, napi_value value) {
  std::vector<int64_t> ints;
  forEachElement(env, value, [&](napi_value element) { ints.push_back(toInt(env, element)); });
  return ints;
}

// A member of one of libtorch's enumerations, which libtorch uses as table indices without looking.
inline int64_t toCode(napi_env env, napi_value value, const char* noun, int64_t count) {
  const int64_t code = toInt(env, value);
  TORCH_CHECK(code >= 0 && code < count, "no ", noun, " has the code ", code);
  return code;
}

// A value for an argument of the given schema type.
inline c10::IValue toIValue(napi_env env, napi_value value, const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return toTensor(env, value);
    case c10::TypeKind::OptionalType:
      if (isNullish(env, value)) return {};
      return toIValue(env, value, type->castRaw<c10::OptionalType>()->getElementType());
    case c10::TypeKind::NumberType:
      return toScalar(env, value);
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return toInt(env, value);
    case c10::TypeKind::ScalarTypeType:
      return toCode(env, value, "dtype", static_cast<int64_t>(at::ScalarType::NumOptions));
    case c10::TypeKind::LayoutType:
      return toCode(env, value, "layout", static_cast<int64_t>(at::Layout::NumOptions));
    case c10::TypeKind::MemoryFormatType:
      return toCode(env, value, "memory format", static_cast<int64_t>(at::MemoryFormat::NumOptions));
    case c10::TypeKind::FloatType:
      return toDouble(env, value);
    case c10::TypeKind::BoolType:
      return toBool(env, value);
    case c10::TypeKind::StringType:
      return toString(env, value);
    case c10::TypeKind::DeviceObjType:
      return c10::Device(toString(env, value));
    case c10::TypeKind::GeneratorType:
      return Environment::of(env).generators.at(toDouble(env, value));
    case c10::TypeKind::ListType: {
      const c10::TypePtr& element = type->castRaw<c10::ListType>()->getElementType();
      switch (element->kind()) {
        case c10::TypeKind::TensorType:
          return c10::List<at::Tensor>(toTensors(env, value));
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
          return c10::List<int64_t>(toInts(env, value));
        default: {
          c10::impl::GenericList list(element);
          forEachElement(env, value, [&](napi_value item) { list.push_back(toIValue(env, item, element)); });
          // Typed lists that libtorch stores in their own representation.
          if (element->kind() == c10::TypeKind::FloatType) return c10::IValue(c10::impl::toTypedList<double>(list));
          if (element->kind() == c10::TypeKind::BoolType) return c10::IValue(c10::impl::toTypedList<bool>(list));
          return c10::IValue(std::move(list));
        }
      }
    }
    default:
      TORCH_CHECK(false, "arguments of type ", type->str(), " cannot be passed from JavaScript");
  }
}

inline napi_value fromDouble(napi_env env, double value) {
  napi_value result;
  check(env, napi_create_double(env, value, &result));
  return result;
}

inline napi_value fromBool(napi_env env, bool value) {
  napi_value result;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

inline napi_value fromString(napi_env env, const std::string& value) {
  napi_value result;
  check(env, napi_create_string_utf8(env, value.data(), value.size(), &result));
  return result;
}

inline napi_value null(napi_env env) {
  napi_value result;
  check(env, napi_get_null(env, &result));
  return result;
}

// A new handle; an undefined tensor (say, the gradient of something unused) is null.
inline napi_value fromTensor(napi_env env, at::Tensor tensor) {
  if (!tensor.defined()) return null(env);
  return fromDouble(env, Environment::of(env).tensors.insert(std::move(tensor)));
}

template <typename Values, typename F>
napi_value fromList(napi_env env, const Values& values, F&& convert) {
  napi_value result;
  check(env, napi_create_array_with_length(env, values.size(), &result));
  for (uint32_t i = 0; i < values.size(); ++i) check(env, napi_set_element(env, result, i, convert(values[i])));
  return result;
}

inline napi_value fromIValue(napi_env env, const c10::IValue& value) {
  if (value.isTensor()) return fromTensor(env, value.toTensor());
  if (value.isNone()) return null(env);
  if (value.isInt()) return fromDouble(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return fromDouble(env, value.toDouble());
  if (value.isBool()) return fromBool(env, value.toBool());
  if (value.isString()) return fromString(env, value.toStringRef());
  if (value.isDevice()) return fromString(env, value.toDevice().str());
  if (value.isList()) {
    return fromList(env, value.toListRef().vec(), [&](const c10::IValue& item) { return fromIValue(env, item); });
  }
  TORCH_CHECK(false, "results of type ", value.tagKind(), " cannot be returned to JavaScript");
}

}  // namespace bridge
