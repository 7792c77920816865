#pragma once
// What a mapping's owner says of a group: the services that share its visitors, how they are chosen and how
// they are checked. The defaults are those of a mapping with one service.

#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/mapping/balance.hpp"
#include "common/mapping/endpoint.hpp"
#include "common/mapping/health_check.hpp"

namespace tunnel {

constexpr unsigned max_members = 100;  // of one mapping, its `to` not counted
constexpr unsigned max_weight = 1000;

// A service beside the mapping's `to`.
struct MemberService {
    ServiceAddress service{};
    unsigned weight = 1;
    bool backup = false;  // takes visitors only while no other member can
    bool operator==(const MemberService&) const = default;
};

struct GroupOptions {
    std::vector<MemberService> members;
    // Of `to` itself.
    unsigned weight = 1;
    bool backup = false;
    Balance balance = Balance::round_robin;
    // Mappings with the same name here and the same public endpoint share their visitors; empty: it shares
    // them with nobody.
    std::string name{};
    HealthCheck check{};
    bool operator==(const GroupOptions&) const = default;
};

// "127.0.0.1:8002", "127.0.0.1:8002,weight=3,backup", "unix:/run/web.sock,backup"
Result<MemberService> parse_member(std::string_view text);
std::string to_string(const MemberService& member);

struct MappingOptions;

// Whether visitors are chosen a member for: it has several services, shares its visitors or is checked.
bool is_group(const MappingOptions& mapping);
// Every service, the mapping's `to` first.
std::vector<MemberService> services_of(const MappingOptions& mapping);
// Part of check_mapping().
Status check_group(const MappingOptions& mapping);

}  // namespace tunnel
