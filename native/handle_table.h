// Tensors and generators owned by one JavaScript environment (main thread or worker), addressed by number.
//
// A handle is slot + 2^26 * generation: a stale handle (its tensor was freed, its slot perhaps reused) is told from a
// live one without touching memory, so a wrong number from JavaScript is an error and never a crash.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace bridge {

template <typename T>
class HandleTable {
 public:
  explicit HandleTable(const char* noun) : noun_(noun) {}

  double insert(T value) {
    uint32_t slot;
    if (free_.empty()) {
      TORCH_CHECK(slots_.size() < kSlots, "more than ", kSlots, " live ", noun_, " handles");
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].value = std::move(value);
    slots_[slot].live = true;
    ++numLive_;
    return static_cast<double>(slots_[slot].generation) * kSlots + slot;
  }

  T& at(double handle) { return slots_[slotOf(handle)].value; }

  void erase(double handle) {
    const uint32_t slot = slotOf(handle);
    T dead = std::move(slots_[slot].value);  // destroyed last: its deleter may run any code
    slots_[slot].value = T();
    slots_[slot].live = false;
    slots_[slot].generation = (slots_[slot].generation + 1) % kSlots;
    free_.push_back(slot);
    --numLive_;
  }

  size_t numLive() const { return numLive_; }

 private:
  static constexpr uint32_t kSlots = 1u << 26;  // two 26-bit numbers fit a double's 53-bit integers
  struct Slot {
    T value;
    uint32_t generation = 1;
    bool live = false;
  };

  uint32_t slotOf(double handle) const {
    if (handle >= 0 && handle < static_cast<double>(kSlots) * kSlots) {
      const auto bits = static_cast<uint64_t>(handle);
      const auto slot = static_cast<uint32_t>(bits % kSlots);
      if (static_cast<double>(bits) == handle && slot < slots_.size() && slots_[slot].live &&
          slots_[slot].generation == bits / kSlots) {
        return slot;
      }
    }
    TORCH_CHECK(false, "expected a live ", noun_, ", got one that was disposed or never made");
  }

  const char* noun_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t numLive_ = 0;
};

}  // namespace bridge
