#pragma once
// Names of a mapping and of the place its client has at the server.

#include <compare>
#include <string>

namespace tunnel::server {

// A mapping's name is unique within its client.
struct MappingKey {
    std::string client;
    std::string name;
    auto operator<=>(const MappingKey&) const = default;
};
// "home/ssh"
inline std::string to_string(const MappingKey& key) {
    return key.client + "/" + key.name;
}

// A client's `run` has the empty slot; each `expose` has its own.
struct SeatKey {
    std::string client;
    std::string slot;
    auto operator<=>(const SeatKey&) const = default;
};

}  // namespace tunnel::server
