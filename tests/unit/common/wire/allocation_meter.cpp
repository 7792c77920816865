#include "tests/unit/common/wire/allocation_meter.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

thread_local std::ptrdiff_t held = 0;
thread_local std::ptrdiff_t most_held = 0;

void* counted_allocate(std::size_t size) {
    void* memory = std::malloc(std::max<std::size_t>(size, 1));
    if (memory == nullptr) std::abort();
    held += static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
    most_held = std::max(most_held, held);
    return memory;
}

void counted_free(void* memory) {
    if (memory == nullptr) return;
    held -= static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    return counted_allocate(size);
}
void* operator new[](std::size_t size) {
    return counted_allocate(size);
}
void operator delete(void* memory) noexcept {
    counted_free(memory);
}
void operator delete[](void* memory) noexcept {
    counted_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    counted_free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    counted_free(memory);
}

namespace tunnel::wire {

AllocationMeter::AllocationMeter() {
    held = 0;
    most_held = 0;
}

std::size_t AllocationMeter::peak() const {
    return static_cast<std::size_t>(most_held);
}

}  // namespace tunnel::wire
