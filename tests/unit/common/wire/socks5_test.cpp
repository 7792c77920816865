#include "common/wire/socks5.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tunnel::wire {
namespace {

const Secret no_password;

Bytes output(Socks5Client& client) {
    const auto secret = client.take_output();
    return {secret.reveal().begin(), secret.reveal().end()};
}

Secret secret(std::string_view text) {
    return Secret(view_of(text));
}

// Up to the reply.
Socks5Client asked(const HostPort& target) {
    Socks5Client client(target, "", no_password);
    (void)client.take_output();
    EXPECT_TRUE(client.feed(Bytes{5, 0}));
    return client;
}

Bytes reply_with(Byte code) {
    return {5, code, 0, 1, 0};
}

TEST(Socks5, WithoutALogin) {
    Socks5Client client({"vps.example.com", 0x1b58}, "", no_password);
    EXPECT_EQ(output(client), (Bytes{5, 1, 0}));
    EXPECT_EQ(client.wants(), 2U);
    ASSERT_TRUE(client.feed(Bytes{5, 0}));
    Bytes request{5, 1, 0, 3, 15};
    append(request, view_of("vps.example.com"));
    append(request, Bytes{0x1b, 0x58});
    EXPECT_EQ(output(client), request);
    EXPECT_EQ(client.wants(), 5U);
    ASSERT_TRUE(client.feed(Bytes{5, 0, 0, 1, 10}));
    EXPECT_EQ(client.wants(), 5U);  // the rest of an IPv4 address, and a port
    EXPECT_FALSE(client.done());
    ASSERT_TRUE(client.feed(Bytes{0, 0, 1, 0, 80}));
    EXPECT_TRUE(client.done());
    EXPECT_TRUE(output(client).empty());
}

TEST(Socks5, WithAUserAndPassword) {
    Socks5Client client({"192.0.2.1", 22}, "me", secret("pw:@/"));
    EXPECT_EQ(output(client), (Bytes{5, 2, 0, 2}));
    ASSERT_TRUE(client.feed(Bytes{5, 2}));
    EXPECT_EQ(output(client), (Bytes{1, 2, 'm', 'e', 5, 'p', 'w', ':', '@', '/'}));
    ASSERT_TRUE(client.feed(Bytes{1, 0}));
    EXPECT_EQ(output(client), (Bytes{5, 1, 0, 1, 192, 0, 2, 1, 0, 22}));
}

TEST(Socks5, AProxyMayAskForNoLoginAlthoughThereIsOne) {
    Socks5Client client({"::1", 1}, "me", secret("pw"));
    (void)client.take_output();
    ASSERT_TRUE(client.feed(Bytes{5, 0}));
    Bytes request{5, 1, 0, 4};
    request.resize(request.size() + 15);
    append(request, Bytes{1, 0, 1});
    EXPECT_EQ(output(client), request);
}

TEST(Socks5, ARepliedNameOrIpv6AddressIsReadToItsEnd) {
    for (const auto& [type, length, rest] :
         {std::tuple<Byte, Byte, std::size_t>{3, 9, 11}, {3, 0, 2}, {3, 255, 257}, {4, 0, 17}}) {
        auto client = asked({"a", 1});
        ASSERT_TRUE(client.feed(Bytes{5, 0, 0, type, length}));
        ASSERT_EQ(client.wants(), rest);
        ASSERT_TRUE(client.feed(Bytes(rest)));
        EXPECT_TRUE(client.done());
    }
}

TEST(Socks5, ARefusedLoginSaysWhatToDo) {
    Socks5Client without({"a", 1}, "", no_password);
    auto asks = without.feed(Bytes{5, 0xff});
    ASSERT_FALSE(asks);
    EXPECT_EQ(asks.error().code, Errc::unauthenticated);
    EXPECT_THAT(asks.error().message, testing::HasSubstr("socks5://USER:PASSWORD@"));

    Socks5Client with({"a", 1}, "me", secret("geheim"));
    ASSERT_TRUE(with.feed(Bytes{5, 2}));
    auto wrong = with.feed(Bytes{1, 1});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::unauthenticated);
    EXPECT_THAT(wrong.error().message, testing::Not(testing::HasSubstr("geheim")));
}

TEST(Socks5, EveryRefusalHasASentenceOfItsOwn) {
    // Network (3) and host (4) unreachable are one to who reads it.
    std::vector<std::string> sentences;
    for (const Byte code : Bytes{1, 2, 3, 5, 6, 7, 8, 9}) {
        auto client = asked({"vps.example.com", 7000});
        const auto refused = client.feed(reply_with(code));
        ASSERT_FALSE(refused);
        EXPECT_THAT(sentences, testing::Not(testing::Contains(refused.error().message))) << int{code};
        sentences.push_back(refused.error().message);
    }
    EXPECT_FALSE(asked({"a", 1}).feed(reply_with(4)));
    EXPECT_EQ(asked({"a", 1}).feed(reply_with(2)).error().code, Errc::not_allowed);
}

TEST(Socks5, WhatIsNoSocksProxyIsTold) {
    for (const Bytes& bytes : {Bytes{'H', 'T'}, Bytes{4, 0}, Bytes{5, 2}, Bytes{5, 1}}) {
        Socks5Client client({"a", 1}, "", no_password);
        const auto refused = client.feed(bytes);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::protocol);
        EXPECT_THAT(refused.error().message, testing::HasSubstr("http://"));
    }
    EXPECT_EQ(asked({"a", 1}).feed(Bytes{5, 0, 1, 1, 0}).error().code, Errc::protocol);
    EXPECT_EQ(asked({"a", 1}).feed(Bytes{5, 0, 0, 2, 0}).error().code, Errc::protocol);
}

}  // namespace
}  // namespace tunnel::wire
