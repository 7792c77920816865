#include "common/wire/proxy_protocol.hpp"

#include <gmock/gmock.h>

namespace tunnel::wire {
namespace {

using ::testing::HasSubstr;

ProxyEnd end_of(std::string_view address, Port port) {
    return {*parse_ip(address), port};
}

Bytes bytes_of(std::string_view text) {
    const auto bytes = view_of(text);
    return {bytes.begin(), bytes.end()};
}

const Bytes signature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

// A v2 header with that command, family and rest.
Bytes v2(Byte command, Byte family, const Bytes& rest) {
    Bytes out = signature;
    append(out, Bytes{command, family, static_cast<Byte>(rest.size() >> 8), static_cast<Byte>(rest.size())});
    append(out, rest);
    return out;
}

const Bytes tcp4_block{203, 0, 113, 7, 192, 0, 2, 1, 0xc4, 0x88, 0x01, 0xbb};

ProxyHeader parsed(const Bytes& bytes) {
    const auto result = parse_proxy_header(bytes);
    EXPECT_TRUE(result && *result) << (result ? "incomplete" : result.error().message);
    if (!result || !*result) return {};
    EXPECT_EQ((*result)->size, bytes.size());
    return (*result)->header;
}

std::string refusal(const Bytes& bytes) {
    const auto result = parse_proxy_header(bytes);
    EXPECT_FALSE(result) << "taken";
    if (result) return "";
    EXPECT_EQ(result.error().code, Errc::protocol);
    return result.error().message;
}

ProxyHeader tcp4(ProxyVersion version) {
    ProxyHeader header;
    header.version = version;
    header.family = ProxyFamily::ip;
    header.source = end_of("203.0.113.7", 50312);
    header.destination = end_of("192.0.2.1", 443);
    return header;
}

TEST(ProxyProtocol, ReadsTheLinesOfVersion1) {
    EXPECT_EQ(parsed(bytes_of("PROXY TCP4 203.0.113.7 192.0.2.1 50312 443\r\n")), tcp4(ProxyVersion::v1));
    const auto v6 = parsed(bytes_of("PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n"));
    EXPECT_EQ(v6.source, end_of("2001:db8::7", 0));
    EXPECT_EQ(v6.destination, end_of("2001:db8::1", 65535));
    for (const auto* unknown : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 what ever it says\r\n"})
        EXPECT_EQ(parsed(bytes_of(unknown)).family, ProxyFamily::unknown) << unknown;
}

TEST(ProxyProtocol, RefusesOtherLines) {
    for (const auto* bad : {"PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
                            "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
                            "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
                            "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", "PROXY TCP4 ::1 2.2.2.2 1 2\r\n",
                            "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
                            "PROXY TCP4 1.1.1.1 2.2.2.2 1 -2\r\n", "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n"})
        EXPECT_THAT(refusal(bytes_of(bad)), HasSubstr("version 1")) << bad;
}

TEST(ProxyProtocol, ALineHasAMaximum) {
    std::string line = "PROXY UNKNOWN " + std::string(max_proxy_v1, 'x');
    line.resize(max_proxy_v1 - 2);
    EXPECT_EQ(parsed(bytes_of(line + "\r\n")).family, ProxyFamily::unknown);
    EXPECT_THAT(refusal(bytes_of(line + "x\r\n")), HasSubstr("longer than 107 bytes"));
}

TEST(ProxyProtocol, WhatIsNoHeaderIsToldWithTheFirstWrongByte) {
    for (const auto* bad : {"G", "GET / HTTP/1.1\r\n\r\n", "PROXX", "\r\n\r\n\1", "\x16\x03\x01"})
        EXPECT_THAT(refusal(bytes_of(bad)), HasSubstr("accept_proxy_from")) << bad;
}

TEST(ProxyProtocol, AHeaderInPiecesIsIncompleteUntilItsLastByte) {
    auto header = tcp4(ProxyVersion::v2);
    header.tlvs = {0x02, 0, 3, 'a', 'b', 'c'};
    header.checksum = true;
    for (const auto& whole : {encode(tcp4(ProxyVersion::v1)), encode(header)}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const auto part = parse_proxy_header(BytesView(whole).first(size));
            ASSERT_TRUE(part) << size << part.error().message;
            EXPECT_FALSE(*part) << size;
        }
        auto followed = whole;
        append(followed, view_of("the visitor's bytes"));
        const auto result = parse_proxy_header(followed);
        ASSERT_TRUE(result && *result);
        EXPECT_EQ((*result)->size, whole.size());
    }
}

TEST(ProxyProtocol, EveryByteOfVersion2IsPinned) {
    auto expected = v2(0x21, 0x11, tcp4_block);
    EXPECT_EQ(encode(tcp4(ProxyVersion::v2)), expected);
    EXPECT_EQ(parsed(expected), tcp4(ProxyVersion::v2));
    auto udp = tcp4(ProxyVersion::v2);
    udp.datagram = true;
    expected[13] = 0x12;
    EXPECT_EQ(encode(udp), expected);
    EXPECT_EQ(parsed(expected), udp);
}

TEST(ProxyProtocol, Version2CarriesIpv6AndMixedFamilies) {
    auto header = tcp4(ProxyVersion::v2);
    header.source = end_of("2001:db8::7", 1);
    EXPECT_EQ(encode(header).size(), 16U + 36U);
    EXPECT_EQ(parsed(encode(header)), header);
    header.version = ProxyVersion::v1;
    EXPECT_EQ(text_of(encode(header)), "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 443\r\n");
    EXPECT_EQ(parsed(encode(header)), header);
}

TEST(ProxyProtocol, Version2CarriesUnixSockets) {
    ProxyHeader header;
    header.family = ProxyFamily::unix_socket;
    header.source_path = std::string("\0abstract", 9);
    header.destination_path = "/run/web.sock";
    const auto bytes = encode(header);
    EXPECT_EQ(bytes.size(), 16U + 216U);
    EXPECT_EQ(bytes[13], 0x31);
    EXPECT_EQ(parsed(bytes), header);
}

TEST(ProxyProtocol, LocalAndUnspecifiedMeanTheConnectionItself) {
    const auto local = parsed(v2(0x20, 0x11, tcp4_block));
    EXPECT_TRUE(local.local);
    EXPECT_EQ(local.family, ProxyFamily::unknown);
    const auto unspecified = parsed(v2(0x21, 0x00, {1, 2, 3}));
    EXPECT_FALSE(unspecified.local);
    EXPECT_EQ(unspecified.family, ProxyFamily::unknown);
    EXPECT_EQ(encode(local), v2(0x20, 0x00, {}));
}

TEST(ProxyProtocol, WhatVersion1CannotSayIsUnknown) {
    auto header = tcp4(ProxyVersion::v1);
    header.datagram = true;
    EXPECT_EQ(text_of(encode(header)), "PROXY UNKNOWN\r\n");
}

TEST(ProxyProtocol, EntriesAreKeptWithoutPaddingAndChecksum) {
    auto block = tcp4_block;
    const Bytes authority{0x02, 0, 5, 'a', '.', 'e', 'x', '1'};
    const Bytes own{0xe0, 0, 0};
    append(block, authority);
    append(block, Bytes{0x04, 0, 2, 0, 0});
    append(block, own);
    auto kept = authority;
    append(kept, own);
    const auto header = parsed(v2(0x21, 0x11, block));
    EXPECT_EQ(header.tlvs, kept);
    EXPECT_FALSE(header.checksum);
    EXPECT_EQ(parsed(encode(header)), header);
}

TEST(ProxyProtocol, AChecksumIsChecked) {
    auto header = tcp4(ProxyVersion::v2);
    header.tlvs = {0x01, 0, 2, 'h', '2'};
    header.checksum = true;
    const auto bytes = encode(header);
    // Computed by another program.
    EXPECT_EQ(Bytes(bytes.end() - 7, bytes.end()), (Bytes{0x03, 0, 4, 0x4d, 0x5f, 0x29, 0x5a}));
    EXPECT_EQ(parsed(bytes), header);
    for (std::size_t i = 16; i < bytes.size(); ++i) {
        auto changed = bytes;
        changed[i] ^= 0x10;
        EXPECT_FALSE(parse_proxy_header(changed).has_value() && parse_proxy_header(changed)->has_value() &&
                     (*parse_proxy_header(changed))->header == header)
            << i;
    }
    auto changed = bytes;
    changed[16] ^= 1;
    EXPECT_THAT(refusal(changed), HasSubstr("checksum"));
}

TEST(ProxyProtocol, RefusesMalformedVersion2) {
    EXPECT_THAT(refusal(v2(0x11, 0x11, tcp4_block)), HasSubstr("0x11"));
    EXPECT_THAT(refusal(v2(0x22, 0x11, tcp4_block)), HasSubstr("0x22"));
    EXPECT_THAT(refusal(v2(0x21, 0x13, tcp4_block)), HasSubstr("0x13"));
    EXPECT_THAT(refusal(v2(0x21, 0x41, tcp4_block)), HasSubstr("0x41"));
    EXPECT_THAT(refusal(v2(0x21, 0x21, tcp4_block)), HasSubstr("28 bytes"));
    auto block = tcp4_block;
    append(block, Bytes{0x02, 0, 9, 'x'});
    EXPECT_THAT(refusal(v2(0x21, 0x11, block)), HasSubstr("longer than the header"));
    block = tcp4_block;
    append(block, Bytes{0x02, 0});
    EXPECT_THAT(refusal(v2(0x21, 0x11, block)), HasSubstr("longer than the header"));
    block = tcp4_block;
    append(block, Bytes{0x03, 0, 3, 1, 2, 3});
    EXPECT_THAT(refusal(v2(0x21, 0x11, block)), HasSubstr("checksum"));
}

TEST(ProxyProtocol, LongHeadersAreRefusedBeforeTheyAreRead) {
    auto head = v2(0x21, 0x11, {});
    head[14] = 0xff;
    head[15] = 0xff;
    EXPECT_THAT(refusal(head), HasSubstr("65551 bytes"));
    auto block = tcp4_block;
    append(block, Bytes{0xe0, 0x10, 0x00});
    block.resize(block.size() + 4096);
    EXPECT_THAT(refusal(v2(0x21, 0x11, block)), HasSubstr("4099 bytes of entries"));
}

}  // namespace
}  // namespace tunnel::wire
