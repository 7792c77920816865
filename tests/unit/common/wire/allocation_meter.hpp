#pragma once
// Counts the heap bytes that this test program holds, so that a test can prove a bound on memory through the
// public interface alone. Replaces the global operator new and delete of the program it is linked into.

#include <cstddef>

namespace tunnel::wire {

// Watches one thread's allocations from construction on; do not nest.
class AllocationMeter {
  public:
    AllocationMeter();
    // The most that was held at once on top of what was held at construction.
    std::size_t peak() const;
};

}  // namespace tunnel::wire
