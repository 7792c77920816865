#include "common/wire/control_link.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/wire/link_pair.hpp"
#include "tests/unit/common/wire/sample_messages.hpp"

namespace tunnel::wire {
namespace {

TEST(ControlLink, BothEndsBeginWithTheHello) {
    LinkPair pair;
    const auto hello = encode_hello();
    const Bytes expected(hello.begin(), hello.end());
    EXPECT_EQ(pair.client.take_output(), expected);
    EXPECT_EQ(pair.server.take_output(), expected);
    EXPECT_TRUE(pair.client.take_output().empty());
}

TEST(ControlLink, ALoginEstablishesBothEnds) {
    LinkPair pair;
    EXPECT_FALSE(pair.server.established());
    EXPECT_FALSE(pair.client.established());
    pair.client.send(a_login());
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server, std::vector<ControlMessage>{a_login()});
    EXPECT_FALSE(pair.server.established());
    EXPECT_FALSE(pair.client.established());
    pair.server.send(an_acceptance());
    EXPECT_TRUE(pair.server.established());
    EXPECT_FALSE(pair.client.established());
    ASSERT_TRUE(pair.to_client());
    EXPECT_EQ(pair.at_client, std::vector<ControlMessage>{an_acceptance()});
    EXPECT_TRUE(pair.client.established());
}

void talk(LinkPair& pair) {
    const auto all = one_of_each();
    pair.client.send(a_login());
    ASSERT_TRUE(pair.to_server());
    pair.server.send(an_acceptance());
    const std::vector<ControlMessage> to_client{all[3], all[5], all[3]};
    for (const auto& message : to_client) pair.server.send(message);
    ASSERT_TRUE(pair.to_client());
    const std::vector<ControlMessage> to_server{all[2], all[4], all[6], all[9]};
    for (const auto& message : to_server) pair.client.send(message);
    ASSERT_TRUE(pair.to_server());

    std::vector<ControlMessage> expected{a_login()};
    expected.insert(expected.end(), to_server.begin(), to_server.end());
    EXPECT_EQ(pair.at_server, expected);
    expected = {an_acceptance()};
    expected.insert(expected.end(), to_client.begin(), to_client.end());
    EXPECT_EQ(pair.at_client, expected);
}

TEST(ControlLink, MessagesArriveInOrder) {
    LinkPair pair;
    talk(pair);
}

TEST(ControlLink, MessagesArriveByteByByte) {
    for (const std::size_t chunk : {1U, 2U, 3U, 7U, 8U, 9U, 100U}) {
        LinkPair pair;
        pair.chunk = chunk;
        talk(pair);
    }
}

// What a test says to one link by hand: a hello, the login when the phase needs it, and one message.
enum class Phase { greeting, login_sent, established };
constexpr Phase phases[] = {Phase::greeting, Phase::login_sent, Phase::established};

Status receive_in_phase(End receiver, Phase phase, const ControlMessage& message,
                        std::vector<ControlMessage>& out) {
    ControlLink link(receiver, ten_and_thirty, start);
    const auto hello = encode_hello();
    Bytes bytes(hello.begin(), hello.end());
    std::vector<ControlMessage> before;
    if (receiver == End::server && phase != Phase::greeting) append(bytes, framed(a_login()));
    if (receiver == End::client && phase != Phase::greeting) link.send(a_login());
    if (receiver == End::client && phase == Phase::established) append(bytes, framed(an_acceptance()));
    EXPECT_TRUE(link.receive(bytes, start, before));
    if (receiver == End::server && phase == Phase::established) link.send(an_acceptance());
    EXPECT_EQ(link.established(), phase == Phase::established);
    return link.receive(framed(message), start, out);
}

bool allowed(End receiver, Phase phase, const ControlMessage& message) {
    const auto is_one_of = [&]<class... Ts>(std::variant<Ts...>*) {
        return (std::holds_alternative<Ts>(message) || ...);
    };
    if (std::holds_alternative<Goodbye>(message)) return true;
    if (receiver == End::server) {
        using Established = std::variant<Declare, MappingObjection, DialFailed, HealthReport, Ping, Pong>;
        if (phase == Phase::greeting) return std::holds_alternative<Login>(message);
        return phase == Phase::established && is_one_of(static_cast<Established*>(nullptr));
    }
    using Established = std::variant<MappingStates, Dial, Ping, Pong>;
    if (phase == Phase::login_sent) return std::holds_alternative<LoginAccepted>(message);
    return phase == Phase::established && is_one_of(static_cast<Established*>(nullptr));
}

TEST(ControlLink, WhoMaySayWhatAndWhen) {
    for (const End receiver : {End::server, End::client}) {
        for (const Phase phase : phases) {
            for (const auto& message : one_of_each()) {
                std::vector<ControlMessage> out;
                const auto status = receive_in_phase(receiver, phase, message, out);
                const auto what =
                    fmt::format("{} to the {} in phase {}", name_of(message),
                                receiver == End::server ? "server" : "client", static_cast<int>(phase));
                EXPECT_EQ(status.has_value(), allowed(receiver, phase, message)) << what;
                if (status) continue;
                EXPECT_EQ(status.error().code, Errc::protocol) << what;
                EXPECT_NE(status.error().message.find(name_of(message)), std::string::npos)
                    << status.error().message;
                EXPECT_TRUE(out.empty()) << what;
            }
        }
    }
}

TEST(ControlLink, MessagesBeforeAnErrorAreDelivered) {
    LinkPair pair;
    pair.log_in();
    const auto all = one_of_each();
    Bytes bytes = framed(all[2]);
    append(bytes, framed(all[4]));
    append(bytes, framed(all[5]));  // a dial request is the server's to send
    append(bytes, framed(all[6]));
    const auto status = pair.server.receive(bytes, start, pair.at_server);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::protocol);
    EXPECT_EQ(pair.at_server, (std::vector<ControlMessage>{all[2], all[4]}));
}

TEST(ControlLink, AFrameThatIsNoMessageIsRefused) {
    LinkPair pair;
    pair.log_in();
    Bytes bytes;
    append_frame(bytes, Bytes{0xff, 0xff});
    EXPECT_EQ(pair.server.receive(bytes, start, pair.at_server).error().code, Errc::protocol);
    LinkPair other;
    other.log_in();
    bytes.clear();
    append_frame(bytes, {});
    EXPECT_EQ(other.client.receive(bytes, start, other.at_client).error().code, Errc::protocol);
}

// Hello

TEST(ControlLink, AHelloThatIsNoneIsRefusedOnItsEighthByte) {
    for (const End end : {End::server, End::client}) {
        ControlLink link(end, ten_and_thirty, start);
        std::vector<ControlMessage> out;
        const auto text = view_of("GET / HTTP/1.1\r\n");
        for (std::size_t i = 0; i < 7; ++i) ASSERT_TRUE(link.receive(text.subspan(i, 1), start, out));
        const auto status = link.receive(text.subspan(7, 1), start, out);
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, Errc::protocol);
    }
}

TEST(ControlLink, VersionsWithoutACommonOneAreRefusedByBothEnds) {
    const auto newer = static_cast<std::uint16_t>(our_versions.newest + 1);
    const auto hello = encode_hello({newer, newer});
    std::vector<ControlMessage> out;
    ControlLink server(End::server, ten_and_thirty, start);
    auto status = server.receive(hello, start, out);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::version);
    EXPECT_NE(status.error().message.find("upgrade tunnel-server"), std::string::npos);
    ControlLink client(End::client, ten_and_thirty, start);
    status = client.receive(hello, start, out);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::version);
    EXPECT_NE(status.error().message.find("upgrade tunnel-client"), std::string::npos);
}

TEST(ControlLink, ANewerPeerThatStillSpeaksOurVersionIsWelcome) {
    ControlLink link(End::server, ten_and_thirty, start);
    std::vector<ControlMessage> out;
    const auto hello = encode_hello({our_versions.oldest, 0xffff});
    Bytes bytes(hello.begin(), hello.end());
    append(bytes, framed(a_login()));
    ASSERT_TRUE(link.receive(bytes, start, out));
    EXPECT_EQ(out, std::vector<ControlMessage>{a_login()});
}

// Limits

Status server_gets_login_of(std::size_t payload_size, std::vector<ControlMessage>& out) {
    ControlLink link(End::server, ten_and_thirty, start);
    const auto hello = encode_hello();
    Bytes bytes(hello.begin(), hello.end());
    append_frame(bytes, padded_payload(a_login(), payload_size));
    return link.receive(bytes, start, out);
}

TEST(ControlLink, BeforeTheLoginAFrameHasAtMost4KiB) {
    EXPECT_EQ(max_frame_before_login, 4096U);
    std::vector<ControlMessage> out;
    EXPECT_TRUE(server_gets_login_of(4096, out));
    EXPECT_EQ(out, std::vector<ControlMessage>{a_login()});
    out.clear();
    const auto status = server_gets_login_of(4097, out);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::limit);
    EXPECT_TRUE(out.empty());
}

TEST(ControlLink, TheClientHoldsTheServerToThatLimitToo) {
    ControlLink client(End::client, ten_and_thirty, start);
    client.send(a_login());
    const auto hello = encode_hello();
    Bytes bytes(hello.begin(), hello.end());
    append_frame(bytes, padded_payload(an_acceptance(), 4097));
    std::vector<ControlMessage> out;
    EXPECT_EQ(client.receive(bytes, start, out).error().code, Errc::limit);
}

TEST(ControlLink, AfterTheLoginAFrameHasAtMostItsMaximum) {
    const auto all = one_of_each();
    for (const bool too_long : {false, true}) {
        LinkPair pair;
        pair.log_in();
        const std::size_t more = too_long ? 1 : 0;
        Bytes to_server;
        append_frame(to_server, padded_payload(all[2], max_frame_to_server + more));
        Bytes to_client;
        append_frame(to_client, padded_payload(all[3], max_frame_to_client + more));
        const auto at_server = pair.server.receive(to_server, start, pair.at_server);
        const auto at_client = pair.client.receive(to_client, start, pair.at_client);
        ASSERT_EQ(at_server.has_value(), !too_long);
        ASSERT_EQ(at_client.has_value(), !too_long);
        if (!too_long) continue;
        EXPECT_EQ(at_server.error().code, Errc::limit);
        EXPECT_EQ(at_client.error().code, Errc::limit);
    }
}

TEST(ControlLink, TheLargeFrameMayComeInTheSameBytesAsTheAcceptance) {
    ControlLink client(End::client, ten_and_thirty, start);
    client.send(a_login());
    const auto hello = encode_hello();
    Bytes bytes(hello.begin(), hello.end());
    append(bytes, framed(an_acceptance()));
    append_frame(bytes, padded_payload(one_of_each()[3], 100'000));
    std::vector<ControlMessage> out;
    ASSERT_TRUE(client.receive(bytes, start, out));
    EXPECT_EQ(out, (std::vector<ControlMessage>{an_acceptance(), one_of_each()[3]}));
}

// Everything at once: random messages of both ends, cut at random places, arrive as they were sent.
TEST(ControlLink, RandomConversationsArriveWhole) {
    SeededRandom random;
    const std::vector<std::size_t> from_client{2, 4, 6};
    const std::vector<std::size_t> from_server{3, 5};
    for (int round = 0; round < 10; ++round) {
        LinkPair pair;
        pair.log_in();
        std::vector<ControlMessage> sent_by_client;
        std::vector<ControlMessage> sent_by_server;
        for (int i = 0; i < 20; ++i) {
            pair.chunk = 1 + random.below(random.coin() ? 4 : 5000);
            auto message = random_message(from_client[random.below(3)], random);
            if (encode(message).size() <= max_frame_to_server) {
                pair.client.send(message);
                sent_by_client.push_back(std::move(message));
            }
            message = random_message(from_server[random.below(2)], random);
            if (encode(message).size() <= max_frame_to_client) {
                pair.server.send(message);
                sent_by_server.push_back(std::move(message));
            }
            pair.now += Millis(random.below(9000));
            ASSERT_TRUE(pair.client.tick(pair.now));
            ASSERT_TRUE(pair.server.tick(pair.now));
            ASSERT_TRUE(pair.to_server());
            ASSERT_TRUE(pair.to_client());
        }
        ASSERT_EQ(pair.at_server, sent_by_client);
        ASSERT_EQ(pair.at_client, sent_by_server);
    }
}

}  // namespace
}  // namespace tunnel::wire
