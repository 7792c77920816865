#pragma once
// The PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt): a
// header before the first byte of a connection that tells who the visitor really is. Sans-I/O.

#include <optional>
#include <string>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

enum class ProxyVersion { v1 = 1, v2 = 2 };

// What a header says of the two ends. `unknown` (v1 UNKNOWN, v2 LOCAL and UNSPEC) means: take the addresses
// of the connection itself.
enum class ProxyFamily { unknown, ip, unix_socket };

struct ProxyEnd {
    IpAddress address;
    Port port = 0;
    bool operator==(const ProxyEnd&) const = default;
};

struct ProxyHeader {
    ProxyVersion version = ProxyVersion::v2;
    // v2 LOCAL: the proxy's own connection, such as its health check.
    bool local = false;
    ProxyFamily family = ProxyFamily::unknown;
    bool datagram = false;  // UDP, or a Unix datagram socket
    ProxyEnd source;        // with `ip`
    ProxyEnd destination;
    std::string source_path;  // with `unix_socket`: at most 108 bytes, without the zeros at their end
    std::string destination_path;
    // v2: the type-length-value entries one after the other, without padding (NOOP) and checksum (CRC32C).
    Bytes tlvs;
    bool checksum = false;  // v2: a CRC32C was there and right; or is to be written
    bool operator==(const ProxyHeader&) const = default;
};

constexpr std::size_t max_proxy_v1 = 107;     // bytes with CRLF
constexpr std::size_t max_proxy_tlvs = 4096;  // bytes of entries that are kept
constexpr std::size_t max_proxy_header =
    16 + 216 + max_proxy_tlvs + 7;  // bytes: fixed, addresses, entries, checksum

struct ParsedProxyHeader {
    ProxyHeader header;
    std::size_t size = 0;  // bytes it took; the visitor's own come after them
};

// Reads the header at the front of `bytes`. Nothing: more bytes are needed, and all of `bytes` belong to the
// header. Errc::protocol: there is no header, a malformed one, one with a wrong checksum, or one longer than
// max_proxy_header.
Result<std::optional<ParsedProxyHeader>> parse_proxy_header(BytesView bytes);

// The header as it goes before a connection's first byte. What v1 cannot say (UDP, Unix sockets) becomes
// UNKNOWN; `tlvs` are written by v2 only and are at most max_proxy_tlvs. Addresses of two families are both
// written as IPv6.
Bytes encode(const ProxyHeader& header);

// Whether `tlvs` is a whole number of entries, none longer than what is there.
bool well_formed_tlvs(BytesView tlvs);

}  // namespace tunnel::wire
