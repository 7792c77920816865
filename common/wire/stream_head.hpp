#pragma once
// The heads of a data connection: one StreamOpen from the server when a visitor comes, one StreamAnswer from
// the client. Each travels as one sealed record even when the bytes after it go in the clear, so that nobody
// on the way can learn or change which service is dialled.

#include <optional>
#include <string>

#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/core/ids.hpp"
#include "common/core/result.hpp"
#include "common/wire/proxy_protocol.hpp"

namespace tunnel::wire {

constexpr std::size_t max_stream_head = 8192;  // bytes of an encoded head

// What a data connection is for that carries the datagrams of a UDP mapping.
struct DatagramOpen {
    std::uint64_t group = 0;
    Millis flow_timeout{60'000};
    std::uint32_t path = 0;
    bool operator==(const DatagramOpen&) const = default;
};

struct StreamOpen {
    ConnectionId connection;
    std::string mapping;
    std::string service;
    bool encrypt = true;
    std::string visitor;
    std::string local;
    std::uint32_t port_offset = 0;  // below 65536
    Seconds keepalive{0};           // 0: off
    std::optional<DatagramOpen> datagrams{};
    // The service gets a PROXY header of this version first; with v2 these entries (well_formed_tlvs()).
    std::optional<ProxyVersion> proxy_protocol{};
    Bytes proxy_tlvs{};
    // The data connection may be used again once both directions have ended; without `encrypt` both then
    // begin in chunks (chunk.hpp). The client begins anew with a preface.
    bool reuse = false;
    bool operator==(const StreamOpen&) const = default;
};

struct StreamAnswer {
    // The values are those of proto/control.proto.
    enum class Code { ready = 0, not_allowed = 1, connect_failed = 2, unknown_mapping = 3, draining = 4 };
    Code code = Code::ready;
    std::string reason;
    bool operator==(const StreamAnswer&) const = default;
};

// Encoded heads never exceed max_stream_head: a longer reason is cut.
Bytes encode(const StreamOpen& open);
Bytes encode(const StreamAnswer& answer);
// The PROXY header that the service of this stream gets before the visitor's bytes; empty for none. A visitor
// of a Unix socket, who has no address, is UNKNOWN.
Bytes proxy_header_of(const StreamOpen& open);
Result<StreamOpen> decode_stream_open(BytesView bytes);
Result<StreamAnswer> decode_stream_answer(BytesView bytes);

}  // namespace tunnel::wire
