#pragma once
// A mapping on the wire, in the store and in the admin API (proto/mapping.proto). What its words mean is
// common/mapping's business: an option that this version does not know travels like any other.

#include <cstdint>
#include <string>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::proto {
class MappingSpec;
}

namespace tunnel::wire {

constexpr std::size_t max_text = 512;           // bytes of any text field
constexpr std::size_t max_service = 300;        // "host:port" with the longest host name
constexpr std::size_t max_option_value = 1024;  // bytes of one value of an option
constexpr std::size_t max_options = 1000;       // of one mapping, each value of a list counted

struct OptionText {
    std::string name;
    std::string value;
    bool operator==(const OptionText&) const = default;
};

struct MappingSpec {
    std::string name;
    Port tcp = 0;
    std::string service;
    bool encrypt = true;
    Port preferred_port = 0;
    std::vector<OptionText> options{};
    bool operator==(const MappingSpec&) const = default;
};

void fill(proto::MappingSpec& out, const MappingSpec& spec);
// Errc::protocol: a field is beyond its maximum.
Result<MappingSpec> read(const proto::MappingSpec& in);

// The spec as bytes, for a file. Errc::protocol: they are no spec.
Bytes encode(const MappingSpec& spec);
Result<MappingSpec> decode_mapping_spec(BytesView bytes);

}  // namespace tunnel::wire
