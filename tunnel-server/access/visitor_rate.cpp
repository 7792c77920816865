#include "tunnel-server/access/visitor_rate.hpp"

#include <algorithm>

#include "common/core/secret.hpp"

namespace tunnel::server {

namespace {

constexpr std::size_t ways = 8;
constexpr std::int64_t second = 1'000'000'000;

// Stafford's finalizer of MurmurHash3, variant 13.
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

}  // namespace

VisitorRate::VisitorRate(Limits limits)
    : limits_(limits),
      all_({limits.in_all, limits.in_all}),
      seed_{random_u64(), random_u64()},
      entries_(limits.per_address != 0 ? addresses : 0) {}

std::uint64_t VisitorRate::key_of(const IpAddress& visitor) const {
    const BytesView bytes(visitor.bytes);
    const std::uint64_t host = visitor.is_v4() ? get_be64(bytes.subspan(8)) : 0;
    return mix(mix(get_be64(bytes.first(8)) ^ seed_[0]) + host + seed_[1]);
}

bool VisitorRate::admit_address(const IpAddress& visitor, TimePoint now) {
    const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
    const std::int64_t cost = second / limits_.per_address;
    const auto key = key_of(visitor);
    const auto set = (key % (addresses / ways)) * ways;
    const std::lock_guard lock(mutex_);
    const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(set);
    auto place = begin;
    for (auto entry = begin; entry != begin + ways; ++entry) {
        if (entry->key == key) {
            place = entry;
            break;
        }
        if (entry->full_at < place->full_at) place = entry;
    }
    if (place->key != key) *place = {key, at};
    const auto from = std::max(place->full_at, at);
    if (from + cost > at + second) return false;
    place->full_at = from + cost;
    return true;
}

VisitorRate::Verdict VisitorRate::admit(const IpAddress& visitor, TimePoint now) {
    if (limits_.per_address != 0 && !admit_address(visitor, now)) return Verdict::too_many_of_address;
    if (limits_.in_all != 0 && all_.take(now, 1) == 0) return Verdict::too_many;
    return Verdict::admitted;
}

}  // namespace tunnel::server
