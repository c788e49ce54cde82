// Memory of this library: aligned for vectors, not initialized, freed by its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace crf {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};

template <class T> class Array {
  public:
    Array() = default;

    // Throws std::bad_alloc.
    explicit Array(size_t count) : size_(count) {
        constexpr size_t line = 64;
        if (count > (SIZE_MAX - 2 * line) / sizeof(T)) throw std::bad_alloc();
        void* memory = std::aligned_alloc(line, (count * sizeof(T) + line) / line * line);
        if (!memory) throw std::bad_alloc();
        data_.reset(static_cast<T*>(memory));
    }

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    T& operator[](size_t i) { return data_[i]; }
    const T& operator[](size_t i) const { return data_[i]; }
    size_t size() const { return size_; }
    size_t bytes() const { return size_ * sizeof(T); }
    void zero() {
        if (size_) std::memset(static_cast<void*>(data()), 0, bytes());
    }

    // The first `kept` elements move to an array of another size.
    void resize(size_t count, size_t kept) {
        Array other(count);
        if (kept) std::memcpy(static_cast<void*>(other.data()), data(), kept * sizeof(T));
        *this = std::move(other);
    }

  private:
    std::unique_ptr<T[], Free> data_;
    size_t size_ = 0;
};

}  // namespace crf
