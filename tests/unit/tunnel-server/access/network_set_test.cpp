#include "tunnel-server/access/network_set.hpp"

#include <gtest/gtest.h>

#include <random>

namespace tunnel::server {
namespace {

IpAddress ip(std::string_view text) {
    return *parse_ip(text);
}

NetworkSet set_of(std::initializer_list<std::string_view> texts) {
    std::vector<Network> networks;
    for (const auto text : texts) networks.push_back(*parse_network(text));
    return NetworkSet(networks);
}

std::optional<unsigned> v4(unsigned prefix) {
    return 96 + prefix;
}

TEST(NetworkSet, AnEmptyOneHoldsNobody) {
    EXPECT_EQ(NetworkSet().longest_match(ip("10.0.0.1")), std::nullopt);
    EXPECT_EQ(set_of({}).longest_match(ip("::")), std::nullopt);
}

TEST(NetworkSet, TheLongestPrefixIsTold) {
    const auto set = set_of({"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/23", "10.1.2.3"});
    EXPECT_EQ(set.longest_match(ip("11.0.0.1")), v4(0));
    EXPECT_EQ(set.longest_match(ip("10.2.0.1")), v4(8));
    EXPECT_EQ(set.longest_match(ip("10.1.0.1")), v4(16));
    EXPECT_EQ(set.longest_match(ip("10.1.3.255")), v4(23));
    EXPECT_EQ(set.longest_match(ip("10.1.4.0")), v4(16));
    EXPECT_EQ(set.longest_match(ip("10.1.2.3")), v4(32));
}

TEST(NetworkSet, OneFamilyHoldsNobodyOfTheOther) {
    EXPECT_EQ(set_of({"::/0"}).longest_match(ip("10.0.0.1")), std::nullopt);
    EXPECT_EQ(set_of({"0.0.0.0/0"}).longest_match(ip("2001:db8::1")), std::nullopt);
    EXPECT_EQ(set_of({"::/0"}).longest_match(ip("2001:db8::1")), 0U);
}

TEST(NetworkSet, EveryPrefixLengthEndsWhereItShould) {
    const auto full = ip("aaaa:5555:cccc:3333:9999:6666:1234:8765");
    for (unsigned prefix = 1; prefix <= 128; ++prefix) {
        const auto network = *parse_network(to_string(full) + "/" + std::to_string(prefix));
        const NetworkSet set(std::vector<Network>{network});
        EXPECT_EQ(set.longest_match(full), prefix);
        auto outside = full;
        outside.bytes[(prefix - 1) / 8] ^= static_cast<std::uint8_t>(0x80 >> ((prefix - 1) % 8));
        EXPECT_EQ(set.longest_match(outside), std::nullopt) << prefix;
    }
}

TEST(NetworkSet, FindsWhatTheObviousSearchFinds) {
    const auto seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 40; ++round) {
        // Few distinct bits, so that networks lie within one another.
        const auto address = [&](bool of_v4) {
            IpAddress out = of_v4 ? ip("10.0.0.0") : IpAddress{};
            for (std::size_t i = of_v4 ? 12 : 0; i < 16; ++i)
                out.bytes[i] = static_cast<std::uint8_t>(random() & random() & random());
            return out;
        };
        std::vector<Network> networks;
        for (int i = 0; i < 200; ++i) {
            const bool of_v4 = random() % 2 == 0;
            const auto bits = random() % (of_v4 ? 33 : 129);
            networks.push_back(*parse_network(to_string(address(of_v4)) + "/" + std::to_string(bits)));
        }
        const NetworkSet set(networks);
        for (int i = 0; i < 500; ++i) {
            const auto visitor = address(random() % 2 == 0);
            std::optional<unsigned> best;
            for (const auto& network : networks) {
                if (network.contains(visitor)) best = std::max(best, std::optional(network.prefix));
            }
            ASSERT_EQ(set.longest_match(visitor), best) << to_string(visitor);
        }
    }
}

TEST(NetworkSet, AHundredThousandEntriesFitInLittleMemory) {
    std::mt19937_64 random(7);
    std::vector<Network> networks;
    while (networks.size() < 100'000) {
        IpAddress address = ip("0.0.0.0");
        for (std::size_t i = 12; i < 16; ++i) address.bytes[i] = static_cast<std::uint8_t>(random());
        networks.push_back({address, 128});
    }
    networks.push_back(networks.front());
    const NetworkSet set(networks);
    EXPECT_LE(set.size(), 100'000U);
    EXPECT_LT(set.bytes(), 12'000'000U);
    for (const auto& network : networks) ASSERT_EQ(set.longest_match(network.address), 128U);
}

}  // namespace
}  // namespace tunnel::server
