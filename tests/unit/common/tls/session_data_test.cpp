#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tls/hash.hpp"
#include "tests/unit/common/tls/raw_peer.hpp"
#include "tests/unit/common/tls/session_pair.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::Pair;
using test::read_all;
using testing::HasSubstr;

TEST(SessionData, BothWaysInRandomPieces) {
    test::Random random;
    Pair pair;
    for (int round = 0; round < 20; ++round) {
        for (auto [from, to] :
             {std::pair(&pair.client, &pair.server), std::pair(&pair.server, &pair.client)}) {
            const Bytes sent = random.bytes(random.between(1, 40000));
            ASSERT_TRUE(from->write(sent));
            const Bytes wire = from->take_output();
            EXPECT_TRUE(from->take_output().empty());
            Bytes received;
            for (BytesView left = wire; !left.empty();) {
                const std::size_t size = std::min(random.between(1, 5000), left.size());
                to->feed(left.first(size));
                left = left.subspan(size);
                append(received, read_all(*to, random.between(1, 20000)).value());
            }
            EXPECT_EQ(received, sent);
        }
    }
}

TEST(SessionData, WhatIsPeekedAtIsStillRead) {
    Pair pair;
    EXPECT_EQ(pair.server.peek().value(), std::nullopt);
    ASSERT_TRUE(pair.client.write(view_of("GET")));
    pair.to_server();
    EXPECT_EQ(pair.server.peek().value(), Byte{'G'});
    EXPECT_EQ(pair.server.peek().value(), Byte{'G'});
    EXPECT_EQ(text_of(read_all(pair.server).value()), "GET");
    pair.client.close();
    pair.to_server();
    EXPECT_EQ(pair.server.peek().error().code, Errc::closed);
}

TEST(SessionData, ByteByByte) {
    Pair pair;
    const Bytes sent = test::counting(1000);
    ASSERT_TRUE(pair.client.write(sent));
    Bytes received;
    for (const Byte byte : pair.client.take_output()) {
        pair.server.feed({&byte, 1});
        append(received, read_all(pair.server).value());
    }
    EXPECT_EQ(received, sent);
}

TEST(SessionData, MegabytesArriveWhole) {
    test::Random random;
    Pair pair;
    const Bytes sent = random.bytes(4'000'000);
    ASSERT_TRUE(pair.server.write(sent));
    const Bytes wire = pair.server.take_output();
    Bytes received;
    for (BytesView left = wire; !left.empty();) {
        const std::size_t size = std::min(pair.client.room(), left.size());
        ASSERT_EQ(size, std::min(Session::max_unread, left.size())) << "reading made all the room there is";
        pair.client.feed(left.first(size));
        left = left.subspan(size);
        append(received, read_all(pair.client, 16384).value());
    }
    EXPECT_EQ(sha256(received), sha256(sent));
}

TEST(SessionData, DataBehindTheHandshakeIsKept) {
    Session client = Session::client(test::pinning_context());
    Session server = Session::server(test::server_context());
    ASSERT_FALSE(client.handshake().value());
    server.feed(client.take_output());
    ASSERT_FALSE(server.handshake().value());
    client.feed(server.take_output());
    ASSERT_FALSE(client.handshake().value());
    server.feed(client.take_output());
    ASSERT_TRUE(server.handshake().value());
    ASSERT_TRUE(server.write(view_of("early")));
    client.feed(server.take_output());  // Finished and data in one piece
    ASSERT_TRUE(client.handshake().value());
    EXPECT_EQ(text_of(read_all(client).value()), "early");
}

TEST(SessionData, InputIsBounded) {
    Pair pair;
    ASSERT_TRUE(pair.client.write(Bytes(200'000)));
    const Bytes wire = pair.client.take_output();
    EXPECT_EQ(pair.server.room(), Session::max_unread);
    pair.server.feed(BytesView(wire).first(1000));
    EXPECT_EQ(pair.server.room(), Session::max_unread - 1000);
    pair.server.feed(BytesView(wire).subspan(1000, Session::max_unread));
    EXPECT_EQ(pair.server.room(), 0u);
    Bytes buffer(100);
    EXPECT_EQ(pair.server.read(buffer).error().code, Errc::limit);
}

TEST(SessionData, CloseNotifyIsSeenOnceAllIsRead) {
    Pair pair;
    ASSERT_TRUE(pair.client.write(view_of("last words")));
    pair.client.close();
    EXPECT_EQ(pair.client.write(view_of("x")).error().code, Errc::closed);
    pair.to_server();
    Bytes buffer(100);
    const auto size = pair.server.read(buffer);
    ASSERT_TRUE(size);
    EXPECT_EQ(text_of(BytesView(buffer).first(*size)), "last words");
    EXPECT_EQ(pair.server.read(buffer).error().code, Errc::closed);
    pair.server.feed(Bytes(2 * Session::max_unread, 'x'));
    EXPECT_EQ(pair.server.read(buffer).error().code, Errc::closed) << "what comes after it is ignored";
    // The other direction goes on.
    ASSERT_TRUE(pair.server.write(view_of("answer")));
    pair.to_client();
    EXPECT_EQ(text_of(read_all(pair.client).value()), "answer");
    pair.client.close();
    EXPECT_TRUE(pair.client.take_output().empty()) << "close_notify goes out once";
}

TEST(SessionData, AlteredRecordEndsTheConnection) {
    test::Random random;
    for (int i = 0; i < 20; ++i) {
        Pair pair;
        ASSERT_TRUE(pair.client.write(view_of("some data")));
        Bytes wire = pair.client.take_output();
        wire[random.between(5, wire.size() - 1)] ^= 1;
        pair.server.feed(wire);
        Bytes buffer(100);
        EXPECT_EQ(pair.server.read(buffer).error().code, Errc::protocol);
        EXPECT_EQ(pair.server.write(view_of("x")).error().code, Errc::protocol) << "an error is final";
        pair.to_client();
        const auto told = pair.client.read(buffer);
        ASSERT_FALSE(told);
        EXPECT_THAT(told.error().message, HasSubstr("bad_record_mac"));
    }
}

TEST(SessionData, ReplayedRecordEndsTheConnection) {
    Pair pair;
    ASSERT_TRUE(pair.client.write(view_of("once")));
    const Bytes wire = pair.client.take_output();
    pair.server.feed(wire);
    EXPECT_EQ(text_of(read_all(pair.server).value()), "once");
    pair.server.feed(wire);
    EXPECT_EQ(read_all(pair.server).error().code, Errc::protocol);
}

TEST(SessionData, NothingWorksBeforeTheHandshake) {
    Session client = Session::client(test::pinning_context());
    Bytes buffer(10);
    EXPECT_EQ(client.read(buffer).error().code, Errc::unavailable);
    EXPECT_EQ(client.write(view_of("x")).error().code, Errc::unavailable);
    EXPECT_EQ(client.export_key("EXPORTER-x", {}, 32).error().code, Errc::unavailable);
    client.close();
    EXPECT_TRUE(client.take_output().empty());
}

TEST(SessionExport, IsEqualAtBothEndsAndNowhereElse) {
    Pair pair;
    Pair other;
    const auto at_client = pair.client.export_key("EXPORTER-tunnel-login-v1", {}, 32);
    ASSERT_TRUE(at_client) << at_client.error().message;
    EXPECT_EQ(at_client->size(), 32u);
    EXPECT_TRUE(*at_client == *pair.server.export_key("EXPORTER-tunnel-login-v1", {}, 32));
    EXPECT_FALSE(*at_client == *pair.server.export_key("EXPORTER-tunnel-data-v1", {}, 32));
    EXPECT_FALSE(*at_client == *pair.server.export_key("EXPORTER-tunnel-login-v1", view_of("c"), 32));
    EXPECT_FALSE(*at_client == *other.client.export_key("EXPORTER-tunnel-login-v1", {}, 32));
    const auto longer = pair.client.export_key("EXPORTER-tunnel-login-v1", {}, 100);
    EXPECT_TRUE(Secret(longer->reveal().first(32)) == *at_client);
}

TEST(SessionExport, RefusesLengthsOutsideItsRange) {
    Pair pair;
    EXPECT_EQ(pair.client.export_key("EXPORTER-x", {}, 0).error().code, Errc::invalid);
    EXPECT_EQ(pair.client.export_key("EXPORTER-x", {}, 255 * 32 + 1).error().code, Errc::invalid);
    EXPECT_EQ(pair.client.export_key("EXPORTER-x", Bytes(65536), 32).error().code, Errc::invalid);
    EXPECT_TRUE(pair.client.export_key("EXPORTER-x", Bytes(65535), 32));
}

// RFC 5246 section 5's P_SHA256, over the secrets that a peer outside of our Session saw.
Bytes prf_sha256(BytesView secret, BytesView seed, std::size_t length) {
    Bytes out;
    Bytes a(seed.begin(), seed.end());
    while (out.size() < length) {
        const Digest next = hmac_sha256(secret, a);
        a.assign(next.begin(), next.end());
        append(out, hmac_sha256(secret, {a, seed}));
    }
    out.resize(length);
    return out;
}

TEST(SessionExport, IsTheRfcs) {
    auto client = test::RawPeer::client({.cipher_suite = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256});
    Session server = Session::server(test::server_context());
    ASSERT_TRUE(test::shake_hands(*client, server).second.complete());
    const std::string_view label = "EXPORTER-tunnel-login-v1";
    for (const std::string_view context : {"", "some context"}) {
        Bytes seed;
        append(seed, view_of(label));
        append(seed, client->secrets().client_random);
        append(seed, client->secrets().server_random);
        append(seed, Bytes{0, static_cast<Byte>(context.size())});
        append(seed, view_of(context));
        EXPECT_EQ(hex_encode(server.export_key(label, view_of(context), 64)->reveal()),
                  hex_encode(prf_sha256(client->secrets().master.reveal(), seed, 64)));
    }
}

}  // namespace
}  // namespace tunnel::tls
