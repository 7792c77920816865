#include "common/wire/hello.hpp"

#include <gtest/gtest.h>

namespace tunnel::wire {
namespace {

TEST(Hello, LayoutIsPinned) {
    const auto bytes = encode_hello({0x0102, 0x0304});
    EXPECT_EQ(Bytes(bytes.begin(), bytes.end()), (Bytes{'T', 'N', 'L', 'C', 1, 2, 3, 4}));
}

TEST(Hello, OursNamesOurVersions) {
    const auto decoded = decode_hello(encode_hello());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, our_versions);
    EXPECT_LE(our_versions.oldest, our_versions.newest);
}

TEST(Hello, RoundTrip) {
    for (const Versions versions :
         {Versions{0, 0}, Versions{1, 1}, Versions{1, 0xffff}, Versions{0x1234, 0x5678}}) {
        const auto decoded = decode_hello(encode_hello(versions));
        ASSERT_TRUE(decoded);
        EXPECT_EQ(*decoded, versions);
    }
}

TEST(Hello, EveryByteOfTheMagicCounts) {
    for (std::size_t i = 0; i < 4; ++i) {
        auto bytes = encode_hello();
        bytes[i] ^= 0x20;
        const auto decoded = decode_hello(bytes);
        ASSERT_FALSE(decoded) << i;
        EXPECT_EQ(decoded.error().code, Errc::protocol);
    }
}

TEST(Hello, AWrongLengthIsRefused) {
    const auto bytes = encode_hello();
    EXPECT_FALSE(decode_hello({}));
    EXPECT_FALSE(decode_hello(BytesView(bytes).first(7)));
    Bytes longer(bytes.begin(), bytes.end());
    longer.push_back(0);
    EXPECT_FALSE(decode_hello(longer));
}

TEST(Hello, AnImpossibleRangeIsRefused) {
    const auto decoded = decode_hello(encode_hello({3, 2}));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, Errc::protocol);
    EXPECT_NE(decoded.error().message.find("3-2"), std::string::npos) << decoded.error().message;
}

// Both ends compute the same answer from every pair of ranges within 1..5: the newest version both speak, or
// an error that names the same end to upgrade.
class EveryPairOfRanges : public ::testing::Test {
  protected:
    template <class Function>
    void for_each(Function function) {
        for (std::uint16_t a = 1; a <= 5; ++a)
            for (std::uint16_t b = a; b <= 5; ++b)
                for (std::uint16_t c = 1; c <= 5; ++c)
                    for (std::uint16_t d = c; d <= 5; ++d) function(Versions{a, b}, Versions{c, d});
    }
};

int newest_common(Versions one, Versions other) {
    for (int version = 5; version > 0; --version) {
        if (one.oldest <= version && version <= one.newest && other.oldest <= version &&
            version <= other.newest)
            return version;
    }
    return 0;
}

TEST_F(EveryPairOfRanges, AgreesOnTheNewestCommonVersion) {
    for_each([](Versions server, Versions client) {
        const int expected = newest_common(server, client);
        const auto at_server = agree(End::server, server, client);
        const auto at_client = agree(End::client, client, server);
        ASSERT_EQ(at_server.has_value(), expected != 0);
        ASSERT_EQ(at_client.has_value(), expected != 0);
        if (expected == 0) return;
        EXPECT_EQ(*at_server, expected);
        EXPECT_EQ(*at_client, expected);
    });
}

TEST_F(EveryPairOfRanges, TheOlderEndIsToldToUpgradeByBoth) {
    for_each([](Versions server, Versions client) {
        if (newest_common(server, client) != 0) return;
        const bool server_is_old = server.newest < client.oldest;
        const std::string wanted = server_is_old ? "upgrade tunnel-server" : "upgrade tunnel-client";
        const std::string unwanted = server_is_old ? "upgrade tunnel-client" : "upgrade tunnel-server";
        const auto at_server = agree(End::server, server, client).error();
        const auto at_client = agree(End::client, client, server).error();
        EXPECT_EQ(at_server.code, Errc::version);
        EXPECT_EQ(at_client.code, Errc::version);
        EXPECT_NE(at_server.message.find(wanted), std::string::npos) << at_server.message;
        EXPECT_EQ(at_server.message.find(unwanted), std::string::npos) << at_server.message;
        EXPECT_EQ(at_server.message, at_client.message);
    });
}

TEST(Hello, TheErrorNamesBothRanges) {
    const auto error = agree(End::client, {1, 2}, {7, 9}).error();
    EXPECT_NE(error.message.find("7 to 9"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("1 to 2"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("machine inside"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace tunnel::wire
