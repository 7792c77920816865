#pragma once
// How many connections to the tunnel port may be there that have not yet proved who they are: in all, and of
// one address. Any thread.

#include <memory>
#include <mutex>
#include <unordered_map>

#include "common/core/address.hpp"

namespace tunnel::server {

class Admission : public std::enable_shared_from_this<Admission> {
  public:
    struct Limits {
        unsigned total = 4096;
        unsigned per_address = 1024;
    };
    explicit Admission(Limits limits) : limits_(limits) {}

    // A place, given back when it is destroyed: once the connection is authenticated, or gone.
    class Place {
      public:
        Place() = default;
        Place(std::shared_ptr<Admission> admission, const IpAddress& address)
            : admission_(std::move(admission)), address_(address) {}
        Place(Place&&) noexcept = default;
        Place& operator=(Place&& other) noexcept;
        ~Place() { leave(); }
        void leave();
        explicit operator bool() const { return admission_ != nullptr; }

      private:
        std::shared_ptr<Admission> admission_;
        IpAddress address_;
    };
    // An empty place when a limit is reached.
    Place enter(const IpAddress& address);
    void set_limits(Limits limits);

  private:
    void leave(const IpAddress& address);

    struct Hash {
        std::size_t operator()(const IpAddress& address) const noexcept;
    };
    std::mutex mutex_;
    Limits limits_;
    unsigned total_ = 0;
    std::unordered_map<IpAddress, unsigned, Hash> by_address_;
};

}  // namespace tunnel::server
