#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tls/hash.hpp"
#include "tests/unit/common/tls/raw_peer.hpp"
#include "tests/unit/common/tls/session_pair.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::pinning_context;
using test::server_context;
using test::server_identity;
using test::shake_hands;
using testing::HasSubstr;

TEST(SessionHandshake, PinnedServerIsAccepted) {
    Session client = Session::client(pinning_context());
    Session server = Session::server(server_context());
    EXPECT_FALSE(client.established());
    const auto [c, s] = shake_hands(client, server);
    EXPECT_TRUE(c.complete());
    EXPECT_TRUE(s.complete());
    EXPECT_TRUE(client.established());
    EXPECT_TRUE(server.established());
    EXPECT_TRUE(client.handshake().value()) << "asking again changes nothing";
}

TEST(SessionHandshake, ByteByByteAndInRandomPieces) {
    test::Random random;
    const std::vector<test::ChunkSize> ways = {[] { return std::size_t{1}; },
                                               [&random] { return random.between(1, 7); },
                                               [&random] { return random.between(1, 900); }};
    for (const auto& way : ways) {
        Session client = Session::client(pinning_context());
        Session server = Session::server(server_context());
        const auto [c, s] = shake_hands(client, server, way);
        EXPECT_TRUE(c.complete() && s.complete());
    }
}

TEST(SessionHandshake, WrongPinIsRefusedAndExplained) {
    const Identity other = make_identity("tunnel.test").value();
    Session client = Session::client(pinning_context(other));
    Session server = Session::server(server_context());
    const auto [c, s] = shake_hands(client, server);
    ASSERT_FALSE(c.result);
    EXPECT_EQ(c.result.error().code, Errc::unauthenticated);
    const std::string& message = c.result.error().message;
    EXPECT_THAT(message, HasSubstr("does not match the pin in the join link"));
    EXPECT_THAT(message, HasSubstr("expected " + pin_of_certificate(other.certificate_pem)->to_string()));
    EXPECT_THAT(message, HasSubstr("got " + server_context()->pin().to_string()));
    EXPECT_THAT(message, HasSubstr("ask its admin for a new link"));
    EXPECT_FALSE(client.established());
    // The alert reached the server, whose log names it.
    ASSERT_FALSE(s.result);
    EXPECT_EQ(s.result.error().code, Errc::protocol);
    EXPECT_THAT(s.result.error().message, HasSubstr("alert"));
    EXPECT_THAT(s.result.error().message, testing::Not(HasSubstr("unknown (")));
    EXPECT_EQ(client.handshake().error().message, message) << "an error is final";
    EXPECT_FALSE(client.write(view_of("x")));
    EXPECT_FALSE(client.export_key("EXPORTER-x", {}, 32));
}

TEST(SessionHandshake, ServerRefusesAClientWithoutExtendedMasterSecret) {
    auto client = test::RawPeer::client({.extended_master_secret = false});
    Session server = Session::server(server_context());
    const auto [c, s] = shake_hands(*client, server);
    ASSERT_FALSE(s.result);
    EXPECT_EQ(s.result.error().code, Errc::protocol);
    EXPECT_THAT(s.result.error().message, HasSubstr("extended master secret"));
    ASSERT_FALSE(c.result);
    EXPECT_EQ(c.result.error().code, Errc::closed) << c.result.error().message;
    EXPECT_EQ(client->alert(), 40u) << "handshake_failure, in the clear";
}

TEST(SessionHandshake, ARefusedClientGetsTheAlertAndNothingElse) {
    auto client = test::RawPeer::client({.extended_master_secret = false});
    Session server = Session::server(server_context());
    ASSERT_FALSE(client->handshake().value());
    server.feed(client->take_output());
    ASSERT_FALSE(server.handshake());
    EXPECT_EQ(server.take_output(), (Bytes{21, 3, 3, 0, 2, 2, 40}));
}

TEST(SessionHandshake, ClientRefusesAServerWithoutExtendedMasterSecret) {
    for (const bool whole : {true, false}) {
        Session client = Session::client(pinning_context());
        auto server = test::RawPeer::server(server_identity(), {.extended_master_secret = false});
        const auto [c, s] = shake_hands(
            client, *server, whole ? test::whole : [] { return std::size_t{1}; });
        ASSERT_FALSE(c.result);
        EXPECT_EQ(c.result.error().code, Errc::protocol);
        EXPECT_THAT(c.result.error().message, HasSubstr("extended master secret"));
        ASSERT_FALSE(s.result);
        EXPECT_EQ(server->alert(), 40u);
    }
}

TEST(SessionHandshake, OtherwiseTheSamePeersAreAccepted) {
    auto raw_client = test::RawPeer::client({});
    Session server = Session::server(server_context());
    EXPECT_TRUE(shake_hands(*raw_client, server).second.complete());
    Session client = Session::client(pinning_context());
    auto raw_server = test::RawPeer::server(server_identity(), {});
    EXPECT_TRUE(shake_hands(client, *raw_server).first.complete());
}

TEST(SessionHandshake, WeakCiphersAreRefused) {
    for (const int suite :
         {MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}) {
        auto client = test::RawPeer::client({.cipher_suite = suite});
        Session server = Session::server(server_context());
        const auto [c, s] = shake_hands(*client, server);
        ASSERT_FALSE(s.result);
        EXPECT_EQ(s.result.error().code, Errc::protocol);
        EXPECT_FALSE(c.result);
    }
}

TEST(SessionHandshake, AllowedCiphersAreAccepted) {
    for (const int suite :
         {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
          MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}) {
        auto client = test::RawPeer::client({.cipher_suite = suite});
        Session server = Session::server(server_context());
        EXPECT_TRUE(shake_hands(*client, server).second.complete()) << suite;
    }
}

TEST(SessionHandshake, WhatIsNotTlsIsNamed) {
    Session server = Session::server(server_context());
    server.feed(view_of("GET / HTTP/1.1\r\nHost: tunnel.test\r\n\r\n"));
    const auto at_server = server.handshake();
    ASSERT_FALSE(at_server);
    EXPECT_EQ(at_server.error().code, Errc::protocol);
    EXPECT_THAT(at_server.error().message, HasSubstr("does not speak TLS (it began with \"GET / HT\")"));

    Session client = Session::client(pinning_context());
    ASSERT_FALSE(client.handshake().value());
    client.feed(view_of("SSH-2.0-OpenSSH_9.2p1\r\n"));
    const auto at_client = client.handshake();
    ASSERT_FALSE(at_client);
    EXPECT_THAT(at_client.error().message, HasSubstr("SSH-2.0-"));
}

TEST(SessionHandshake, RandomBytesNeverComplete) {
    test::Random random;
    for (int i = 0; i < 300; ++i) {
        Session server = Session::server(server_context());
        Session client = Session::client(pinning_context());
        ASSERT_FALSE(client.handshake().value());
        Bytes bytes = random.bytes(random.between(5, 2000));
        if (i % 2 == 0) {  // dressed as a record of handshake messages
            const Bytes header{22, 3, 3, static_cast<Byte>((bytes.size() - 5) >> 8),
                               static_cast<Byte>(bytes.size() - 5)};
            std::copy(header.begin(), header.end(), bytes.begin());
        }
        server.feed(bytes);
        client.feed(bytes);
        const auto at_server = server.handshake();
        const auto at_client = client.handshake();
        EXPECT_FALSE(at_server.has_value() && *at_server);
        EXPECT_FALSE(at_client.has_value() && *at_client);
    }
}

// The places of a flight's bytes that Finished vouches for (RFC 5246 section 7.4.9): all but the headers of
// the records, whose version is read loosely and said again under the keys.
std::vector<std::size_t> places_of_messages(BytesView flight) {
    constexpr std::size_t header_size = 5;
    std::vector<std::size_t> places;
    for (std::size_t record = 0; record + header_size <= flight.size();) {
        const std::size_t size = static_cast<std::size_t>(flight[record + 3]) << 8 | flight[record + 4];
        for (std::size_t i = 0; i < size; ++i) places.push_back(record + header_size + i);
        record += header_size + size;
    }
    return places;
}

// Flips a bit of the server's first flight: either end notices, at the latest at Finished.
TEST(SessionHandshake, AlteredServerFlightNeverCompletes) {
    test::Random random;
    for (int i = 0; i < 40; ++i) {
        Session client = Session::client(pinning_context());
        Session server = Session::server(server_context());
        ASSERT_FALSE(client.handshake().value());
        server.feed(client.take_output());
        ASSERT_FALSE(server.handshake().value());
        Bytes flight = server.take_output();
        const auto places = places_of_messages(flight);
        ASSERT_GT(places.size(), 500U);
        flight[places[random.between(0, places.size() - 1)]] ^= static_cast<Byte>(1 << random.between(0, 7));
        client.feed(flight);
        const auto [c, s] = shake_hands(client, server);
        EXPECT_FALSE(c.complete());
        EXPECT_FALSE(s.complete());
    }
}

TEST(SessionHandshake, OneContextServesManySessions) {
    const auto shared_server = server_context();
    const auto shared_client = pinning_context();
    for (int i = 0; i < 3; ++i) {
        Session client = Session::client(shared_client);
        Session server = Session::server(shared_server);
        EXPECT_TRUE(shake_hands(client, server).first.complete());
    }
    EXPECT_EQ(shared_server.use_count(), 1) << "sessions that ended let go of it";
}

TEST(SessionHandshake, MovesWhileItRuns) {
    Session client = Session::client(pinning_context());
    Session server = Session::server(server_context());
    ASSERT_FALSE(client.handshake().value());
    Session moved_client = std::move(client);
    Session moved_server = std::move(server);
    EXPECT_TRUE(shake_hands(moved_client, moved_server).first.complete());
}

}  // namespace
}  // namespace tunnel::tls
