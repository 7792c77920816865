#pragma once
// A named list of networks, as server.toml names it.

#include <string>

namespace tunnel::server {

struct ListFile {
    std::string name;
    std::string path;
    bool operator==(const ListFile&) const = default;
};

}  // namespace tunnel::server
