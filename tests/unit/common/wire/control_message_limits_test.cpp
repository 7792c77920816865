// Every field of every control message has a maximum: the maximum itself is taken, one more is refused.
#include <gtest/gtest.h>

#include <functional>

#include "common/wire/control_messages.hpp"
#include "common/wire/frame.hpp"
#include "proto/control.pb.h"
#include "tests/unit/common/wire/allocation_meter.hpp"

namespace tunnel::wire {
namespace {

struct FieldLimit {
    std::string name;
    std::size_t maximum;
    std::function<void(proto::ControlMessage&, std::size_t)> set;
};

std::string text_of_size(std::size_t size) {
    return std::string(size, 'x');
}

std::vector<FieldLimit> login_limits() {
    using M = proto::ControlMessage;
    return {
        {"login.client", 512, [](M& m, std::size_t n) { m.mutable_login()->set_client(text_of_size(n)); }},
        {"login.slot", 512, [](M& m, std::size_t n) { m.mutable_login()->set_slot(text_of_size(n)); }},
        {"login.proof", 32, [](M& m, std::size_t n) { m.mutable_login()->set_proof(text_of_size(n)); }},
        {"login.ciphers", 32,
         [](M& m, std::size_t n) {
             m.mutable_login()->clear_ciphers();
             for (std::size_t i = 0; i < n; ++i) m.mutable_login()->add_ciphers(proto::CIPHER_AES_128_GCM);
         }},
        {"login.software", 512,
         [](M& m, std::size_t n) { m.mutable_login()->set_software(text_of_size(n)); }},
        {"login_accepted.public_host", 512,
         [](M& m, std::size_t n) { m.mutable_login_accepted()->set_public_host(text_of_size(n)); }},
        {"login_accepted.software", 512,
         [](M& m, std::size_t n) { m.mutable_login_accepted()->set_software(text_of_size(n)); }},
        {"login_accepted.mapping_options", 200,
         [](M& m, std::size_t n) {
             for (; n > 0; --n) m.mutable_login_accepted()->add_mapping_options("x");
         }},
        {"login_accepted.mapping_option", 512,
         [](M& m, std::size_t n) { m.mutable_login_accepted()->add_mapping_options(text_of_size(n)); }},
    };
}

proto::MappingSpec& spec(proto::ControlMessage& message) {
    return *message.mutable_declare()->add_mappings();
}

proto::MappingState& state(proto::ControlMessage& message) {
    return *message.mutable_mapping_states()->add_mappings();
}

std::vector<FieldLimit> mapping_limits() {
    using M = proto::ControlMessage;
    const auto number = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
    return {
        {"declare.mappings", 1000,
         [](M& m, std::size_t n) {
             for (; n > 0; --n) spec(m).set_name("m");
         }},
        {"declare.name", 512, [](M& m, std::size_t n) { spec(m).set_name(text_of_size(n)); }},
        {"declare.tcp", 65535, [=](M& m, std::size_t n) { spec(m).set_tcp(number(n)); }},
        {"declare.service", 300, [](M& m, std::size_t n) { spec(m).set_service(text_of_size(n)); }},
        {"declare.preferred_port", 65535,
         [=](M& m, std::size_t n) { spec(m).set_preferred_port(number(n)); }},
        {"declare.options", 1000,
         [](M& m, std::size_t n) {
             for (auto& one = spec(m); n > 0; --n) one.add_options()->set_name("x");
         }},
        {"declare.options in all", 20'000,
         [](M& m, std::size_t n) {
             for (; n > 0;) {
                 auto& one = spec(m);
                 for (std::size_t i = 0; i < 1000 && n > 0; ++i, --n) one.add_options()->set_name("x");
             }
         }},
        {"declare.option name", 512,
         [](M& m, std::size_t n) { spec(m).add_options()->set_name(text_of_size(n)); }},
        {"declare.option value", 1024,
         [](M& m, std::size_t n) { spec(m).add_options()->set_value(text_of_size(n)); }},
        {"states.mappings", 2000,
         [](M& m, std::size_t n) {
             for (; n > 0; --n) state(m).set_name("m");
         }},
        {"states.name", 512, [](M& m, std::size_t n) { state(m).set_name(text_of_size(n)); }},
        {"states.service", 300, [](M& m, std::size_t n) { state(m).set_service(text_of_size(n)); }},
        {"states.port", 65535, [=](M& m, std::size_t n) { state(m).set_port(number(n)); }},
        {"states.public_address", 512,
         [](M& m, std::size_t n) { state(m).set_public_address(text_of_size(n)); }},
        {"states.state", 512, [](M& m, std::size_t n) { state(m).set_state(text_of_size(n)); }},
        {"states.error_code", 512, [](M& m, std::size_t n) { state(m).set_error_code(text_of_size(n)); }},
        {"states.protocol", 512, [](M& m, std::size_t n) { state(m).set_protocol(text_of_size(n)); }},
        {"states.options", 512, [](M& m, std::size_t n) { state(m).set_options(text_of_size(n)); }},
        {"states.services in all", 50'000,
         [](M& m, std::size_t n) {
             for (auto& one = state(m); n > 0; --n) one.add_services("x");
         }},
        {"states.checks and services in all", 50'000,
         [](M& m, std::size_t n) {
             auto& one = state(m);
             one.add_services("x");
             for (; n > 1; --n) one.add_checks()->set_name("x");
         }},
        {"states.service of a group", 300,
         [](M& m, std::size_t n) { state(m).add_services(text_of_size(n)); }},
        {"states.check's name", 512,
         [](M& m, std::size_t n) { state(m).add_checks()->set_name(text_of_size(n)); }},
        {"states.check's value", 1024,
         [](M& m, std::size_t n) { state(m).add_checks()->set_value(text_of_size(n)); }},
        {"states.error", 2048, [](M& m, std::size_t n) { state(m).set_error(text_of_size(n)); }},
        {"objection.mapping", 512,
         [](M& m, std::size_t n) { m.mutable_objection()->set_mapping(text_of_size(n)); }},
        {"objection.reason", 2048,
         [](M& m, std::size_t n) { m.mutable_objection()->set_reason(text_of_size(n)); }},
    };
}

std::vector<FieldLimit> other_limits() {
    using M = proto::ControlMessage;
    return {
        {"dial.count", 4096,
         [](M& m, std::size_t n) { m.mutable_dial()->set_count(static_cast<std::uint32_t>(n)); }},
        {"dial_failed.reason", 2048,
         [](M& m, std::size_t n) { m.mutable_dial_failed()->set_reason(text_of_size(n)); }},
        {"health.mapping", 512,
         [](M& m, std::size_t n) { m.mutable_health()->set_mapping(text_of_size(n)); }},
        {"health.service", 300,
         [](M& m, std::size_t n) { m.mutable_health()->set_service(text_of_size(n)); }},
        {"health.reason", 2048, [](M& m, std::size_t n) { m.mutable_health()->set_reason(text_of_size(n)); }},
        {"goodbye.message", 2048,
         [](M& m, std::size_t n) { m.mutable_goodbye()->set_message(text_of_size(n)); }},
    };
}

void expect_limit(const FieldLimit& field) {
    proto::ControlMessage at_limit;
    field.set(at_limit, field.maximum);
    const auto taken = decode(view_of(at_limit.SerializeAsString()));
    EXPECT_TRUE(taken) << field.name << ": " << taken.error().message;

    proto::ControlMessage beyond;
    field.set(beyond, field.maximum + 1);
    const auto refused = decode(view_of(beyond.SerializeAsString()));
    ASSERT_FALSE(refused) << field.name;
    EXPECT_EQ(refused.error().code, Errc::protocol) << field.name;
    EXPECT_NE(refused.error().message.find(std::to_string(field.maximum + 1)), std::string::npos)
        << field.name << ": " << refused.error().message;
    EXPECT_NE(refused.error().message.find(std::to_string(field.maximum)), std::string::npos)
        << field.name << ": " << refused.error().message;
}

TEST(ControlMessageLimits, OfTheLogin) {
    for (const auto& field : login_limits()) expect_limit(field);
}

TEST(ControlMessageLimits, OfMappings) {
    for (const auto& field : mapping_limits()) expect_limit(field);
}

TEST(ControlMessageLimits, OfTheOthers) {
    for (const auto& field : other_limits()) expect_limit(field);
}

TEST(ControlMessageLimits, ABadFieldOfALaterMappingIsFound) {
    proto::ControlMessage raw;
    for (int i = 0; i < 5; ++i) spec(raw).set_name("ok");
    spec(raw).set_service(text_of_size(max_service + 1));
    EXPECT_FALSE(decode(view_of(raw.SerializeAsString())));
}

// Entries of two bytes each, as many as fit a frame: their number is refused before each becomes an object.
void expect_little_memory(Byte list_tag, std::size_t frame_size) {
    const std::size_t entries = frame_size / 2 - 3;
    Bytes payload{list_tag};
    for (std::size_t rest = 2 * entries; rest > 0; rest >>= 7)
        payload.push_back(static_cast<Byte>((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)));
    for (std::size_t i = 0; i < entries; ++i) append(payload, Bytes{0x0a, 0x00});
    ASSERT_LE(payload.size(), frame_size);
    AllocationMeter meter;
    const auto received = decode(payload);
    const auto peak = meter.peak();
    ASSERT_FALSE(received);
    EXPECT_EQ(received.error().code, Errc::protocol);
    EXPECT_NE(received.error().message.find(std::to_string(entries)), std::string::npos)
        << received.error().message;
    EXPECT_LT(peak, 4096U);
}

TEST(ControlMessageLimits, AFrameFullOfTinyMappingsTakesLittleMemory) {
    expect_little_memory(0x1a, max_frame_to_server);
    expect_little_memory(0x22, max_frame_to_client);
}

TEST(ControlMessageLimits, AListSentInPiecesIsCountedAsOne) {
    proto::ControlMessage half;
    for (std::size_t i = 0; i < max_mappings / 2; ++i) spec(half).set_name("m");
    const std::string piece = half.SerializeAsString();
    EXPECT_TRUE(decode(view_of(piece + piece)));
    proto::ControlMessage one;
    spec(one).set_name("m");
    EXPECT_FALSE(decode(view_of(piece + piece + one.SerializeAsString())));
}

// The largest that config and store let through: 63-byte names, the longest host names, long sentences.
TEST(ControlMessageLimits, TheLargestHonestMessagesFitTheirFrame) {
    Declare declare;
    declare.mappings.assign(max_mappings, {text_of_size(63),
                                           65535,
                                           text_of_size(max_service),
                                           true,
                                           65535,
                                           {{text_of_size(20), text_of_size(400)}}});
    EXPECT_LE(encode(declare).size(), max_frame_to_server);
    MappingStates states;
    states.mappings.assign(
        2 * max_mappings,
        {text_of_size(63), MappingSource::admin, text_of_size(max_service), 65535, text_of_size(260), true,
         "listening", "not_allowed", text_of_size(300), "unix", text_of_size(max_text)});
    EXPECT_LE(encode(states).size(), max_frame_to_client);
    Login login{text_of_size(63),
                text_of_size(63),
                ~0ULL,
                Bytes(proof_size),
                true,
                text_of_size(100),
                std::vector<Cipher>(max_ciphers, Cipher::chacha20_poly1305)};
    EXPECT_LE(encode(login).size(), max_frame_before_login);
    EXPECT_LE(encode(Goodbye{Goodbye::Code::overloaded, text_of_size(max_sentence)}).size(),
              max_frame_before_login);
}

// Sentences for people are cut to what the other end takes; a cut never splits a character, which the other
// end would refuse as text that is not UTF-8.
TEST(ControlMessageLimits, LongSentencesAreCutBetweenCharacters) {
    for (std::size_t shift = 0; shift < 4; ++shift) {
        std::string text(shift, 'a');
        while (text.size() < 5000) text += "\xf0\x9f\x9a\x87";  // one character of four bytes
        MappingStates states;
        states.mappings.push_back({});
        states.mappings[0].error = text;
        for (const ControlMessage& sent :
             {ControlMessage(MappingObjection{"m", text}), ControlMessage(DialFailed{TicketNumber{1}, text}),
              ControlMessage(Goodbye{Goodbye::Code::refused, text}), ControlMessage(states)}) {
            const auto received = decode(encode(sent));
            ASSERT_TRUE(received) << name_of(sent) << ": " << received.error().message;
            std::string got;
            if (const auto* objection = std::get_if<MappingObjection>(&*received)) got = objection->reason;
            if (const auto* failed = std::get_if<DialFailed>(&*received)) got = failed->reason;
            if (const auto* goodbye = std::get_if<Goodbye>(&*received)) got = goodbye->message;
            if (const auto* list = std::get_if<MappingStates>(&*received)) got = list->mappings.at(0).error;
            EXPECT_EQ(got, text.substr(0, got.size()));
            EXPECT_GT(got.size(), max_sentence - 4);
        }
    }
}

// An unauthenticated peer must not be able to write lines into the log.
TEST(ControlMessageLimits, BadTextPrintsNothing) {
    testing::internal::CaptureStderr();
    const auto received = decode(Bytes{0x0a, 0x03, 0x0a, 0x01, 0xff});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_FALSE(received);
}

}  // namespace
}  // namespace tunnel::wire
