#include "common/wire/stream_head.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "common/wire/control_messages.hpp"
#include "proto/control.pb.h"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

TEST(StreamOpen, RoundTripsWithRandomContents) {
    SeededRandom random;
    for (int round = 0; round < 500; ++round) {
        const StreamOpen sent{ConnectionId{random.number()},
                              random.text(max_text),
                              random.text(max_service),
                              random.coin(),
                              random.text(max_text),
                              random.text(max_text),
                              static_cast<std::uint32_t>(random.below(65536)),
                              Seconds(random.below(100'000))};
        const auto received = decode_stream_open(encode(sent));
        ASSERT_TRUE(received) << received.error().message;
        ASSERT_EQ(*received, sent) << "round " << round;
    }
}

TEST(StreamAnswer, RoundTripsWithRandomContents) {
    SeededRandom random;
    for (int round = 0; round < 500; ++round) {
        const StreamAnswer sent{static_cast<StreamAnswer::Code>(random.below(5)), random.text(2 * max_text)};
        const auto received = decode_stream_answer(encode(sent));
        ASSERT_TRUE(received) << received.error().message;
        ASSERT_EQ(*received, sent) << "round " << round;
    }
}

TEST(StreamAnswer, EveryCodeHasTheValueOfTheProto) {
    EXPECT_EQ(static_cast<int>(StreamAnswer::Code::ready), proto::StreamAnswer::READY);
    EXPECT_EQ(static_cast<int>(StreamAnswer::Code::not_allowed), proto::StreamAnswer::NOT_ALLOWED);
    EXPECT_EQ(static_cast<int>(StreamAnswer::Code::connect_failed), proto::StreamAnswer::CONNECT_FAILED);
    EXPECT_EQ(static_cast<int>(StreamAnswer::Code::unknown_mapping), proto::StreamAnswer::UNKNOWN_MAPPING);
    EXPECT_EQ(static_cast<int>(StreamAnswer::Code::draining), proto::StreamAnswer::DRAINING);
    EXPECT_EQ(proto::StreamAnswer::Code_ARRAYSIZE, 5);
}

TEST(StreamAnswer, AnUnknownCodeIsRefused) {
    for (const int code : {5, 1000, -1}) {
        proto::StreamAnswer raw;
        raw.set_code(static_cast<proto::StreamAnswer::Code>(code));
        const auto received = decode_stream_answer(view_of(raw.SerializeAsString()));
        ASSERT_FALSE(received) << code;
        EXPECT_EQ(received.error().code, Errc::protocol);
    }
}

TEST(StreamAnswer, ALongReasonIsCutBetweenCharacters) {
    for (std::size_t shift = 0; shift < 4; ++shift) {
        std::string reason(shift, 'a');
        while (reason.size() < 10'000) reason += "\xf0\x9f\x9a\x87";  // one character of four bytes
        const auto bytes = encode(StreamAnswer{StreamAnswer::Code::connect_failed, reason});
        EXPECT_LE(bytes.size(), max_stream_head);
        const auto received = decode_stream_answer(bytes);
        ASSERT_TRUE(received) << "shift " << shift;
        EXPECT_EQ(received->reason, reason.substr(0, received->reason.size()));
        EXPECT_GT(received->reason.size(), 2 * max_text - 4);
    }
}

struct FieldLimit {
    const char* name;
    std::size_t maximum;
    std::function<void(StreamOpen&, std::string)> set;
};

TEST(StreamOpen, EveryFieldHasItsMaximum) {
    const std::vector<FieldLimit> fields{
        {"mapping", 512, [](StreamOpen& open, std::string text) { open.mapping = std::move(text); }},
        {"service", 300, [](StreamOpen& open, std::string text) { open.service = std::move(text); }},
        {"visitor", 512, [](StreamOpen& open, std::string text) { open.visitor = std::move(text); }},
        {"local", 512, [](StreamOpen& open, std::string text) { open.local = std::move(text); }},
    };
    for (const auto& field : fields) {
        StreamOpen open;
        field.set(open, std::string(field.maximum, 'x'));
        EXPECT_TRUE(decode_stream_open(encode(open))) << field.name;
        field.set(open, std::string(field.maximum + 1, 'x'));
        const auto refused = decode_stream_open(encode(open));
        ASSERT_FALSE(refused) << field.name;
        EXPECT_EQ(refused.error().code, Errc::protocol) << field.name;
    }
}

TEST(StreamAnswer, TheReasonHasItsMaximum) {
    proto::StreamAnswer raw;
    raw.set_reason(std::string(2 * max_text, 'x'));
    EXPECT_TRUE(decode_stream_answer(view_of(raw.SerializeAsString())));
    raw.set_reason(std::string(2 * max_text + 1, 'x'));
    EXPECT_FALSE(decode_stream_answer(view_of(raw.SerializeAsString())));
}

TEST(StreamOpen, TheLargestFitsTheMaximumOfAHead) {
    const StreamOpen open{ConnectionId{~0ULL},           std::string(max_text, 'x'),
                          std::string(max_service, 'x'), true,
                          std::string(max_text, 'x'),    std::string(max_text, 'x')};
    EXPECT_LE(encode(open).size(), max_stream_head);
}

// A head of `size` bytes that is well formed: the padding is a field of a newer version.
Bytes padded(const Bytes& head, std::size_t size) {
    Bytes out(head);
    const std::size_t padding = size - head.size() - 4;
    append(out,
           Bytes{0xa2, 0x06, static_cast<Byte>(0x80 | (padding & 0x7f)), static_cast<Byte>(padding >> 7)});
    out.resize(size);
    return out;
}

TEST(StreamHeads, FieldsOfANewerVersionAreIgnoredUpToTheMaximumSize) {
    const StreamOpen open{ConnectionId{1}, "ssh", "127.0.0.1:22", true, "192.0.2.1:1", "192.0.2.2:2"};
    const StreamAnswer answer{StreamAnswer::Code::ready, ""};
    const auto opened = decode_stream_open(padded(encode(open), max_stream_head));
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, open);
    const auto answered = decode_stream_answer(padded(encode(answer), max_stream_head));
    ASSERT_TRUE(answered);
    EXPECT_EQ(*answered, answer);
    EXPECT_FALSE(decode_stream_open(padded(encode(open), max_stream_head + 1)));
    EXPECT_FALSE(decode_stream_answer(padded(encode(answer), max_stream_head + 1)));
}

TEST(StreamHeads, BytesThatAreNoHeadAreRefused) {
    for (const Bytes& garbage :
         {Bytes{0xff}, Bytes{0x12, 0x05, 'a'}, Bytes{0x12, 0x01, 0xff}, Bytes{0x00, 0x01}}) {
        const auto opened = decode_stream_open(garbage);
        ASSERT_FALSE(opened) << hex_encode(garbage);
        EXPECT_EQ(opened.error().code, Errc::protocol);
        EXPECT_NE(opened.error().message.find("server"), std::string::npos) << opened.error().message;
        const auto answered = decode_stream_answer(garbage);
        ASSERT_FALSE(answered) << hex_encode(garbage);
        EXPECT_EQ(answered.error().code, Errc::protocol);
        EXPECT_NE(answered.error().message.find("client"), std::string::npos) << answered.error().message;
    }
}

TEST(StreamHeads, BadTextPrintsNothing) {
    testing::internal::CaptureStderr();
    const auto opened = decode_stream_open(Bytes{0x12, 0x01, 0xff});
    const auto answered = decode_stream_answer(Bytes{0x12, 0x01, 0xff});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_FALSE(opened);
    EXPECT_FALSE(answered);
}

TEST(StreamHead, CarriesWhatThePROXYHeaderOfTheServiceNeeds) {
    StreamOpen open;
    open.mapping = "web";
    open.visitor = "[2001:db8::7]:50312";
    open.local = "192.0.2.1:443";
    EXPECT_TRUE(proxy_header_of(open).empty());
    open.proxy_protocol = ProxyVersion::v2;
    open.proxy_tlvs = {0x01, 0, 2, 'h', '2'};
    const auto again = decode_stream_open(encode(open));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, open);
    const auto parsed = parse_proxy_header(proxy_header_of(*again));
    ASSERT_TRUE(parsed && *parsed);
    const auto& header = (*parsed)->header;
    EXPECT_EQ(header.source, (ProxyEnd{*parse_ip("2001:db8::7"), 50312}));
    EXPECT_EQ(header.destination, (ProxyEnd{*parse_ip("192.0.2.1"), 443}));
    EXPECT_EQ(header.tlvs, open.proxy_tlvs);
    // The visitor of a Unix socket.
    open.proxy_protocol = ProxyVersion::v1;
    open.visitor = "uid 1000";
    EXPECT_EQ(text_of(proxy_header_of(open)), "PROXY UNKNOWN\r\n");
    open.proxy_tlvs = {0x01, 0, 9, 'h'};
    EXPECT_FALSE(decode_stream_open(encode(open))) << "entries that are none";
    open.proxy_tlvs = Bytes(max_proxy_tlvs + 3);
    EXPECT_FALSE(decode_stream_open(encode(open)));
}

}  // namespace
}  // namespace tunnel::wire
