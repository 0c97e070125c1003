// Tensors into and out of JavaScript: make, describe, read back, free, count, map from a file.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "convert.h"

namespace bridge {

inline at::ScalarType toScalarType(napi_env env, napi_value value) {
  return static_cast<at::ScalarType>(
      toCode(env, value, "dtype", static_cast<int64_t>(at::ScalarType::NumOptions)));
}

// Entries of a shape times their size, refusing negative sizes and overflow.
inline size_t checkedByteLength(const std::vector<int64_t>& shape, at::ScalarType dtype) {
  size_t length = c10::elementSize(dtype);
  for (const int64_t size : shape) {
    TORCH_CHECK(size >= 0, "expected sizes of at least 0, got ", size);
    TORCH_CHECK(!__builtin_mul_overflow(length, static_cast<size_t>(size), &length), "the shape is too large");
  }
  return length;
}

// (Uint8Array, dtype code, shape) -> handle of a CPU tensor holding a copy
inline napi_value tensorFromBytes(napi_env env, size_t, napi_value* args) {
  const auto dtype = toScalarType(env, args[1]);
  const auto shape = toInts(env, args[2]);
  // Asked for last: reading the shape may run JavaScript that takes the bytes away.
  napi_typedarray_type type;
  size_t length;
  void* data;
  TORCH_CHECK(napi_get_typedarray_info(env, args[0], &type, &length, &data, nullptr, nullptr) == napi_ok &&
                  type == napi_uint8_array,
              "expected a Uint8Array");
  const size_t expected = checkedByteLength(shape, dtype);
  TORCH_CHECK(length == expected, "expected ", expected, " bytes, got ", length);
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
  if (length > 0) std::memcpy(tensor.mutable_data_ptr(), data, length);
  return fromTensor(env, std::move(tensor));
}

// (handle) -> ArrayBuffer with a copy of the entries, row-major
inline napi_value tensorBytes(napi_env env, size_t, napi_value* args) {
  const at::Tensor tensor = toTensor(env, args[0]).detach().to(at::kCPU).contiguous();
  TORCH_CHECK(tensor.nbytes() == 0 || tensor.const_data_ptr() != nullptr, "expected a tensor that holds its entries");
  void* data;
  napi_value buffer;
  check(env, napi_create_arraybuffer(env, tensor.nbytes(), &data, &buffer));
  if (tensor.nbytes() > 0) std::memcpy(data, tensor.const_data_ptr(), tensor.nbytes());
  return buffer;
}

inline napi_value tensorShape(napi_env env, size_t, napi_value* args) {
  return fromList(env, toTensor(env, args[0]).sizes(), [&](int64_t n) { return fromDouble(env, static_cast<double>(n)); });
}

inline napi_value tensorDtype(napi_env env, size_t, napi_value* args) {
  return fromDouble(env, static_cast<double>(toTensor(env, args[0]).scalar_type()));
}

inline napi_value tensorDevice(napi_env env, size_t, napi_value* args) {
  return fromString(env, toTensor(env, args[0]).device().str());
}

inline napi_value freeTensor(napi_env env, size_t, napi_value* args) {
  Environment::of(env).tensors.erase(toDouble(env, args[0]));
  return nullptr;
}

inline napi_value numLiveTensors(napi_env env, size_t, napi_value*) {
  return fromDouble(env, static_cast<double>(Environment::of(env).tensors.numLive()));
}

// A file's bytes in the address space, for as long as one tensor looks at them. Pages are read when touched, and written
// pages are private copies: the file never changes.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    TORCH_CHECK(file >= 0, path, ": cannot be opened (", std::strerror(errno), ")");
    struct stat stats {};
    const bool known = ::fstat(file, &stats) == 0;
    size_ = known ? static_cast<size_t>(stats.st_size) : 0;
    data_ = size_ > 0 ? ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0) : MAP_FAILED;
    const int reason = errno;
    ::close(file);
    TORCH_CHECK(data_ != MAP_FAILED, path, ": cannot be mapped into memory (", std::strerror(reason), ")");
  }
  ~MappedFile() { ::munmap(data_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  char* data() const { return static_cast<char*>(data_); }
  size_t size() const { return size_; }

 private:
  void* data_;
  size_t size_;
};

// (path, [[dtype code, shape, byte offset], ...]) -> handles of CPU tensors that share one mapping of the file
inline napi_value mapTensors(napi_env env, size_t, napi_value* args) {
  const auto file = std::make_shared<MappedFile>(toString(env, args[0]));
  std::vector<at::Tensor> tensors;
  forEachElement(env, args[1], [&](napi_value entry) {
    napi_value fields[3];
    for (uint32_t i = 0; i < 3; ++i) check(env, napi_get_element(env, entry, i, &fields[i]));
    const auto dtype = toScalarType(env, fields[0]);
    const auto shape = toInts(env, fields[1]);
    const int64_t offset = toInt(env, fields[2]);
    const size_t length = checkedByteLength(shape, dtype);
    TORCH_CHECK(offset >= 0 && static_cast<size_t>(offset) <= file->size() && length <= file->size() - offset,
                "expected bytes within the file's ", file->size());
    const auto options = at::TensorOptions().dtype(dtype);
    char* data = file->data() + offset;
    if (offset % static_cast<int64_t>(c10::elementSize(dtype)) == 0) {
      tensors.push_back(at::from_blob(data, shape, [file](void*) {}, options));
    } else {  // a writer that did not align its data: copy instead
      tensors.push_back(at::empty(shape, options));
      std::memcpy(tensors.back().mutable_data_ptr(), data, length);
    }
  });
  return fromList(env, tensors, [&](const at::Tensor& tensor) { return fromTensor(env, tensor); });
}

}  // namespace bridge
