#include "common/wire/control_messages.hpp"

#include <gtest/gtest.h>

#include <set>

#include "proto/control.pb.h"
#include "tests/unit/common/wire/sample_messages.hpp"

namespace tunnel::wire {
namespace {

TEST(ControlMessages, EveryKindRoundTripsWithRandomContents) {
    SeededRandom random;
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        for (int round = 0; round < 100; ++round) {
            const auto sent = random_message(kind, random);
            ASSERT_EQ(sent.index(), kind);
            const auto received = decode(encode(sent));
            ASSERT_TRUE(received) << name_of(sent) << ": " << received.error().message;
            ASSERT_EQ(*received, sent) << name_of(sent) << " in round " << round;
        }
    }
}

TEST(ControlMessages, EmptyMessagesKeepTheirKind) {
    const std::vector<ControlMessage> empty{Login{"", "", 0, {}, false, ""},
                                            LoginAccepted{},
                                            Declare{},
                                            MappingStates{},
                                            MappingObjection{},
                                            Dial{},
                                            DialFailed{},
                                            Ping{},
                                            Pong{},
                                            Goodbye{},
                                            HealthReport{"", "", false, ""}};
    ASSERT_EQ(empty.size(), kinds);
    for (const auto& sent : empty) {
        const auto received = decode(encode(sent));
        ASSERT_TRUE(received) << name_of(sent);
        EXPECT_EQ(*received, sent) << name_of(sent);
    }
}

// What ends that know AES-128-GCM only send, and what they make of the rest is their protobuf's business.
TEST(ControlMessages, EndsThatSayNothingOfCiphersMeanAes) {
    proto::ControlMessage old;
    old.mutable_login()->set_client("home");
    auto login = decode(view_of(old.SerializeAsString()));
    ASSERT_TRUE(login);
    EXPECT_TRUE(std::get<Login>(*login).ciphers.empty());
    old.mutable_login_accepted()->set_session(7);
    auto accepted = decode(view_of(old.SerializeAsString()));
    ASSERT_TRUE(accepted);
    EXPECT_EQ(std::get<LoginAccepted>(*accepted).cipher, Cipher::aes_128_gcm);
}

TEST(ControlMessages, CiphersOfLaterVersionsAreLeftOut) {
    constexpr auto later = static_cast<proto::Cipher>(77);
    proto::ControlMessage message;
    auto& login = *message.mutable_login();
    login.add_ciphers(later);
    EXPECT_EQ(decode(view_of(message.SerializeAsString())).error().code, Errc::protocol);
    login.add_ciphers(proto::CIPHER_CHACHA20_POLY1305);
    const auto read = decode(view_of(message.SerializeAsString()));
    ASSERT_TRUE(read);
    EXPECT_EQ(std::get<Login>(*read).ciphers, std::vector<Cipher>{Cipher::chacha20_poly1305});
    while (static_cast<std::size_t>(login.ciphers_size()) <= max_ciphers) login.add_ciphers(later);
    EXPECT_EQ(decode(view_of(message.SerializeAsString())).error().code, Errc::protocol);
    // A server has no business to choose one.
    message.mutable_login_accepted()->set_cipher(later);
    EXPECT_EQ(decode(view_of(message.SerializeAsString())).error().code, Errc::protocol);
}

TEST(ControlMessages, EveryGoodbyeCodeHasTheValueOfTheProto) {
    const std::vector<std::pair<Goodbye::Code, proto::Goodbye::Code>> codes{
        {Goodbye::Code::unspecified, proto::Goodbye::CODE_UNSPECIFIED},
        {Goodbye::Code::leaving, proto::Goodbye::LEAVING},
        {Goodbye::Code::restarting, proto::Goodbye::RESTARTING},
        {Goodbye::Code::replaced, proto::Goodbye::REPLACED},
        {Goodbye::Code::refused, proto::Goodbye::REFUSED},
        {Goodbye::Code::occupied, proto::Goodbye::OCCUPIED},
        {Goodbye::Code::closed_by_admin, proto::Goodbye::CLOSED_BY_ADMIN},
        {Goodbye::Code::revoked, proto::Goodbye::REVOKED},
        {Goodbye::Code::protocol_error, proto::Goodbye::PROTOCOL_ERROR},
        {Goodbye::Code::overloaded, proto::Goodbye::OVERLOADED},
    };
    EXPECT_EQ(codes.size(), static_cast<std::size_t>(proto::Goodbye::Code_ARRAYSIZE));
    for (const auto& [ours, theirs] : codes) {
        EXPECT_EQ(static_cast<int>(ours), static_cast<int>(theirs));
        const auto received = decode(encode(Goodbye{ours, "why"}));
        ASSERT_TRUE(received);
        EXPECT_EQ(std::get<Goodbye>(*received).code, ours);
    }
}

TEST(ControlMessages, AGoodbyeOfANewerVersionIsStillAGoodbye) {
    for (const int code : {10, 1000, -1}) {
        proto::ControlMessage raw;
        raw.mutable_goodbye()->set_code(static_cast<proto::Goodbye::Code>(code));
        raw.mutable_goodbye()->set_message("why");
        const auto received = decode(view_of(raw.SerializeAsString()));
        ASSERT_TRUE(received) << code;
        EXPECT_EQ(*received, ControlMessage(Goodbye{Goodbye::Code::unspecified, "why"}));
    }
}

TEST(ControlMessages, AMappingSourceOfANewerVersionIsTakenAsTheClients) {
    proto::ControlMessage raw;
    auto& state = *raw.mutable_mapping_states()->add_mappings();
    state.set_source(static_cast<proto::MappingState::Source>(9));
    const auto received = decode(view_of(raw.SerializeAsString()));
    ASSERT_TRUE(received);
    EXPECT_EQ(std::get<MappingStates>(*received).mappings.at(0).source, MappingSource::client);
}

TEST(ControlMessages, FieldsOfANewerVersionAreIgnored) {
    for (const auto& sent : one_of_each()) {
        auto bytes = encode(sent);
        append(bytes, Bytes{0xa2, 0x06, 3, 'n', 'e', 'w'});  // field 100: text
        const auto received = decode(bytes);
        ASSERT_TRUE(received) << name_of(sent);
        EXPECT_EQ(*received, sent);
    }
}

TEST(ControlMessages, AnUnknownKindIsRefused) {
    for (const Bytes& payload : {Bytes{}, Bytes{0x5a, 0x00}, Bytes{0xa2, 0x06, 3, 'n', 'e', 'w'}}) {
        const auto received = decode(payload);
        ASSERT_FALSE(received);
        EXPECT_EQ(received.error().code, Errc::protocol);
        EXPECT_NE(received.error().message.find("kind"), std::string::npos) << received.error().message;
    }
}

TEST(ControlMessages, BytesThatAreNoMessageAreRefused) {
    const std::vector<Bytes> garbage{
        {0xff},                                      // a tag that does not end
        {0x00, 0x00},                                // field number 0
        {0x0a, 0x05, 'a'},                           // shorter than its length
        {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f},        // a length beyond 2 GiB
        {0x0f},                                      // wire type 7
        {0x42, 0x01, 0x09},                          // a ping whose nonce is cut
        {'G', 'E', 'T', ' ', '/', ' ', 'H'},         // another protocol
        {0x0a, 0x03, 0x0a, 0x01, 0xff},              // a client name that is not UTF-8
        {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b},  // groups that never end
    };
    for (const auto& payload : garbage) {
        const auto received = decode(payload);
        ASSERT_FALSE(received) << hex_encode(payload);
        EXPECT_EQ(received.error().code, Errc::protocol);
    }
}

TEST(ControlMessages, EveryCutOfAMessageIsRefused) {
    for (const auto& sent : one_of_each()) {
        const auto bytes = encode(sent);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const auto received = decode(BytesView(bytes).first(size));
            EXPECT_FALSE(received) << name_of(sent) << " cut to " << size;
        }
    }
}

TEST(ControlMessages, DeepNestingIsRefused) {
    Bytes groups(100'000, 0x0b);  // field 1, group start
    EXPECT_FALSE(decode(groups));
}

TEST(ControlMessages, RandomBytesNeverDecodeToABrokenMessage) {
    SeededRandom random;
    for (int round = 0; round < 2'000; ++round) {
        auto bytes = encode(random_message(random.below(kinds), random));
        if (bytes.size() > 4096) continue;
        for (std::size_t i = 1 + random.below(4); i > 0 && !bytes.empty(); --i)
            bytes[random.below(bytes.size())] = static_cast<Byte>(random.number());
        const auto received = decode(bytes);
        if (!received) {
            EXPECT_EQ(received.error().code, Errc::protocol);
            continue;
        }
        const auto again = decode(encode(*received));
        ASSERT_TRUE(again) << hex_encode(bytes);
        ASSERT_EQ(*again, *received) << hex_encode(bytes);
    }
}

TEST(ControlMessages, EveryKindHasItsOwnName) {
    std::set<std::string_view> names;
    for (const auto& message : one_of_each()) names.insert(name_of(message));
    EXPECT_EQ(names.size(), kinds);
    EXPECT_EQ(names.count(""), 0U);
}

}  // namespace
}  // namespace tunnel::wire
