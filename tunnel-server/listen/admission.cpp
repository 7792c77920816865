#include "tunnel-server/listen/admission.hpp"

#include <string_view>

namespace tunnel::server {

std::size_t Admission::Hash::operator()(const IpAddress& address) const noexcept {
    return std::hash<std::string_view>()(
        {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
}

Admission::Place Admission::enter(const IpAddress& address) {
    const std::lock_guard lock(mutex_);
    if (total_ >= limits_.total) return {};
    auto& here = by_address_[address];
    if (here >= limits_.per_address) return {};
    ++here;
    ++total_;
    return {shared_from_this(), address};
}

void Admission::leave(const IpAddress& address) {
    const std::lock_guard lock(mutex_);
    --total_;
    const auto found = by_address_.find(address);
    if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
}

void Admission::set_limits(Limits limits) {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
}

Admission::Place& Admission::Place::operator=(Place&& other) noexcept {
    if (this != &other) {
        leave();
        admission_ = std::move(other.admission_);
        address_ = other.address_;
    }
    return *this;
}

void Admission::Place::leave() {
    if (auto admission = std::exchange(admission_, nullptr)) admission->leave(address_);
}

}  // namespace tunnel::server
