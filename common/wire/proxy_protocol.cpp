#include "common/wire/proxy_protocol.hpp"

#include <algorithm>
#include <array>

namespace tunnel::wire {

namespace {

constexpr std::string_view v1_start = "PROXY ";
constexpr std::string_view crlf = "\r\n";
constexpr std::array<Byte, 12> v2_signature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                            0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t v2_fixed = 16;
constexpr std::size_t tlv_head = 3;
constexpr std::size_t v4_addresses = 12;
constexpr std::size_t v6_addresses = 36;
constexpr std::size_t unix_path = 108;
constexpr std::size_t checksum_size = 4;
constexpr Byte tlv_crc32c = 0x03;
constexpr Byte tlv_noop = 0x04;

using Parsed = std::optional<ParsedProxyHeader>;

tl::unexpected<Error> no_header() {
    return fail(Errc::protocol,
                "the connection does not begin with a PROXY header: let the proxy in front send one "
                "(HAProxy: send-proxy-v2), or take its network out of accept_proxy_from");
}

// CRC-32C (RFC 3720 appendix B.4), the bytes of [hole, hole + 4) taken as zeros.
std::uint32_t crc32c(BytesView bytes, std::size_t hole) {
    std::uint32_t crc = 0xffffffff;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        crc ^= i >= hole && i < hole + checksum_size ? Byte{0} : bytes[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    }
    return ~crc;
}

// True as long as `bytes` may become, or has become, something that begins with `start`.
bool begins(BytesView bytes, BytesView start) {
    const auto size = std::min(bytes.size(), start.size());
    return std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size), start.begin());
}

// The next word of a v1 line, which one space separates from what follows.
std::string_view next_word(std::string_view& line) {
    const auto word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), word.size() + 1));
    return word;
}

std::optional<IpAddress> v1_address(std::string_view word, bool v6) {
    if ((word.find(':') != std::string_view::npos) != v6) return std::nullopt;
    return parse_ip(word);
}

std::optional<Port> v1_port(std::string_view word) {
    const bool zeros = word.size() > 1 && word.front() == '0';
    const auto port = parse_port(word, PortZero::allowed);
    if (zeros || !port) return std::nullopt;
    return *port;
}

Result<ProxyHeader> read_v1(std::string_view line) {
    ProxyHeader header;
    header.version = ProxyVersion::v1;
    const auto bad = [whole = line] {
        return fail(Errc::protocol, "\"PROXY {}\" is not a PROXY line of version 1", whole);
    };
    const bool lone = line.find(' ') == std::string_view::npos;
    const auto protocol = next_word(line);
    if (protocol == "UNKNOWN") return header;  // what follows it is to be ignored
    const bool v6 = protocol == "TCP6";
    if (lone || (!v6 && protocol != "TCP4")) return bad();
    const auto source = v1_address(next_word(line), v6);
    const auto destination = v1_address(next_word(line), v6);
    const auto source_port = v1_port(next_word(line));
    const auto destination_port = v1_port(line);
    if (!source || !destination || !source_port || !destination_port) return bad();
    header.family = ProxyFamily::ip;
    header.source = {*source, *source_port};
    header.destination = {*destination, *destination_port};
    return header;
}

Result<Parsed> parse_v1(BytesView bytes) {
    const auto text = text_of(bytes.first(std::min(bytes.size(), max_proxy_v1)));
    const auto end = text.find(crlf);
    if (end == std::string_view::npos) {
        if (bytes.size() < max_proxy_v1) return Parsed();
        return fail(Errc::protocol, "a PROXY line of version 1 is longer than {} bytes", max_proxy_v1);
    }
    auto header = read_v1(text.substr(v1_start.size(), end - v1_start.size()));
    if (!header) return pass(std::move(header.error()));
    return Parsed({std::move(*header), end + crlf.size()});
}

IpAddress read_address(BytesView bytes, bool v6) {
    IpAddress address;
    if (!v6) address.bytes[10] = address.bytes[11] = 0xff;
    std::copy(bytes.begin(), bytes.end(), address.bytes.end() - static_cast<std::ptrdiff_t>(bytes.size()));
    return address;
}

std::string read_path(BytesView bytes) {
    auto path = text_of(bytes);
    // One that begins with a zero is abstract (unix(7)); zeros at the end are padding.
    while (path.ends_with('\0')) path.remove_suffix(1);
    return std::string(path);
}

// The bytes of the addresses that `family` announces; 0 for one that the protocol does not know.
std::size_t address_bytes(Byte family) {
    switch (family) {
        case 0x11:
        case 0x12:
            return v4_addresses;
        case 0x21:
        case 0x22:
            return v6_addresses;
        case 0x31:
        case 0x32:
            return 2 * unix_path;
        default:
            return 0;
    }
}

void read_addresses(ProxyHeader& header, Byte family, BytesView block) {
    header.datagram = (family & 0x0f) == 2;
    if (family >= 0x30) {
        header.family = ProxyFamily::unix_socket;
        header.source_path = read_path(block.first(unix_path));
        header.destination_path = read_path(block.subspan(unix_path, unix_path));
        return;
    }
    header.family = ProxyFamily::ip;
    const bool v6 = family >= 0x20;
    const std::size_t size = v6 ? 16 : 4;
    const auto ports = block.subspan(2 * size);
    header.source = {read_address(block.first(size), v6), get_be16(ports.first(2))};
    header.destination = {read_address(block.subspan(size, size), v6), get_be16(ports.subspan(2, 2))};
}

// Keeps the entries from `at` on and checks the checksum among them.
Status read_tlvs(ProxyHeader& header, BytesView whole, std::size_t at) {
    if (!well_formed_tlvs(whole.subspan(at)))
        return fail(Errc::protocol, "an entry of a PROXY header is longer than the header");
    while (at < whole.size()) {
        const auto size = tlv_head + get_be16(whole.subspan(at + 1, 2));
        const auto entry = whole.subspan(at, size);
        if (entry[0] == tlv_crc32c) {
            const auto value = at + tlv_head;
            if (size != tlv_head + checksum_size ||
                crc32c(whole, value) != get_be32(whole.subspan(value, checksum_size)))
                return fail(Errc::protocol, "the checksum of a PROXY header is wrong");
            header.checksum = true;
        } else if (entry[0] != tlv_noop) {
            append(header.tlvs, entry);
        }
        at += size;
    }
    if (header.tlvs.size() > max_proxy_tlvs)
        return fail(Errc::protocol, "a PROXY header has {} bytes of entries: at most {} are taken",
                    header.tlvs.size(), max_proxy_tlvs);
    return {};
}

Result<Parsed> parse_v2(BytesView bytes) {
    if (bytes.size() < v2_fixed) return Parsed();
    const Byte command = bytes[12];
    const Byte family = bytes[13];
    const std::size_t size = v2_fixed + get_be16(bytes.subspan(14, 2));
    if (command != 0x20 && command != 0x21)
        return fail(Errc::protocol,
                    "a PROXY header has the version and command {:#04x}: 0x20 and 0x21 are known", command);
    const auto addresses = address_bytes(family);
    if (addresses == 0 && family != 0)
        return fail(Errc::protocol, "a PROXY header has the unknown address family {:#04x}", family);
    if (size > max_proxy_header || size < v2_fixed + (command == 0x21 ? addresses : 0))
        return fail(Errc::protocol, "a PROXY header announces {} bytes, which its address family cannot have",
                    size);
    if (bytes.size() < size) return Parsed();
    ProxyHeader header;
    header.local = command == 0x20;
    if (!header.local && family != 0) {
        const auto whole = bytes.first(size);
        read_addresses(header, family, whole.subspan(v2_fixed, addresses));
        if (auto ok = read_tlvs(header, whole, v2_fixed + addresses); !ok) return pass(std::move(ok.error()));
    }
    return Parsed({std::move(header), size});
}

bool both_v4(const ProxyHeader& header) {
    return header.source.address.is_v4() && header.destination.address.is_v4();
}

std::string v6_text(const IpAddress& address) {
    return address.is_v4() ? "::ffff:" + to_string(address) : to_string(address);
}

Bytes encode_v1(const ProxyHeader& header) {
    const auto& source = header.source;
    const auto& destination = header.destination;
    std::string line = "PROXY UNKNOWN\r\n";
    if (header.family == ProxyFamily::ip && !header.datagram && both_v4(header))
        line = fmt::format("PROXY TCP4 {} {} {} {}\r\n", to_string(source.address),
                           to_string(destination.address), source.port, destination.port);
    else if (header.family == ProxyFamily::ip && !header.datagram)
        line = fmt::format("PROXY TCP6 {} {} {} {}\r\n", v6_text(source.address),
                           v6_text(destination.address), source.port, destination.port);
    const auto bytes = view_of(line);
    return {bytes.begin(), bytes.end()};
}

void put_port(Bytes& out, Port port) {
    std::array<Byte, 2> bytes{};
    put_be16(bytes, port);
    append(out, bytes);
}

void put_path(Bytes& out, const std::string& path) {
    append(out, view_of(path).first(std::min(path.size(), unix_path)));
    out.resize(out.size() + unix_path - std::min(path.size(), unix_path));
}

// The addresses; returns the byte that tells their kind.
Byte put_addresses(Bytes& out, const ProxyHeader& header) {
    const Byte kind = header.datagram ? 2 : 1;
    if (header.family == ProxyFamily::unix_socket) {
        put_path(out, header.source_path);
        put_path(out, header.destination_path);
        return static_cast<Byte>(0x30 | kind);
    }
    const bool v4 = both_v4(header);
    for (const auto* end : {&header.source, &header.destination})
        append(out, BytesView(end->address.bytes).subspan(v4 ? 12 : 0));
    put_port(out, header.source.port);
    put_port(out, header.destination.port);
    return static_cast<Byte>((v4 ? 0x10 : 0x20) | kind);
}

Bytes encode_v2(const ProxyHeader& header) {
    Bytes out(v2_signature.begin(), v2_signature.end());
    out.resize(v2_fixed);
    out[12] = header.local ? 0x20 : 0x21;
    if (!header.local && header.family != ProxyFamily::unknown) {
        out[13] = put_addresses(out, header);
        append(out, header.tlvs);
        if (header.checksum) append(out, std::array<Byte, 7>{tlv_crc32c, 0, checksum_size, 0, 0, 0, 0});
    }
    put_be16(MutableBytes(out).subspan(14, 2), static_cast<std::uint16_t>(out.size() - v2_fixed));
    if (out[13] != 0 && header.checksum) {
        const auto hole = out.size() - checksum_size;
        put_be32(MutableBytes(out).subspan(hole), crc32c(out, hole));
    }
    return out;
}

}  // namespace

Result<std::optional<ParsedProxyHeader>> parse_proxy_header(BytesView bytes) {
    if (begins(bytes, v2_signature)) {
        if (bytes.size() < v2_signature.size()) return Parsed();
        return parse_v2(bytes);
    }
    if (!begins(bytes, view_of(v1_start))) return no_header();
    if (bytes.size() < v1_start.size()) return Parsed();
    return parse_v1(bytes);
}

Bytes encode(const ProxyHeader& header) {
    return header.version == ProxyVersion::v1 ? encode_v1(header) : encode_v2(header);
}

bool well_formed_tlvs(BytesView tlvs) {
    while (!tlvs.empty()) {
        if (tlvs.size() < tlv_head) return false;
        const auto size = tlv_head + get_be16(tlvs.subspan(1, 2));
        if (size > tlvs.size()) return false;
        tlvs = tlvs.subspan(size);
    }
    return true;
}

}  // namespace tunnel::wire
