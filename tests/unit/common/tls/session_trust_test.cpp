// Certificates judged by authorities instead of a pin.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/common/tls/session_pair.hpp"
#include "tests/unit/common/tls/test_authority.hpp"

namespace tunnel::tls {
namespace {

using test::LeafOptions;
using testing::HasSubstr;

test::Authority& authority() {
    static test::Authority one;
    return one;
}

Result<bool> connect(const Identity& identity, std::string_view host,
                     const std::string& bundle = authority().certificate()) {
    Session client = Session::client(ClientContext::make(CaBundle{bundle}, host).value());
    Session server = Session::server(test::server_context(identity));
    auto [c, s] = test::shake_hands(client, server);
    EXPECT_EQ(c.complete(), s.complete());
    return c.result;
}

void expect_refused(const Result<bool>& result, std::string_view reason) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::unauthenticated);
    EXPECT_THAT(result.error().message, HasSubstr(std::string(reason)));
}

TEST(SessionTrust, SignedForTheHostIsAccepted) {
    const Identity leaf = authority().issue({});
    const auto result = connect(leaf, "tunnel.test");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(*result);
}

TEST(SessionTrust, RsaCertificateIsAccepted) {
    const auto result = connect(authority().issue({.key = test::KeyType::rsa}), "tunnel.test");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(*result);
}

TEST(SessionTrust, OneOfSeveralAuthoritiesIsEnough) {
    test::Authority other;
    const auto result =
        connect(authority().issue({}), "tunnel.test", other.certificate() + authority().certificate());
    EXPECT_TRUE(result && *result);
}

TEST(SessionTrust, AnOuterTlsTakesAnyServer) {
    Session client = Session::client(ClientContext::make(AnyServer{}, "other.test", Alpn::http_1_1).value());
    Session server = Session::server(test::server_context());
    const auto [c, s] = test::shake_hands(client, server);
    EXPECT_TRUE(c.complete() && s.complete());
}

TEST(SessionTrust, WrongHostIsRefused) {
    expect_refused(connect(authority().issue({}), "other.test"), "is not for other.test");
}

TEST(SessionTrust, AddressesAreMatchedAsAddresses) {
    const Identity v4 = authority().issue({.host = "192.0.2.7"});
    const Identity v6 = authority().issue({.host = "2001:db8::7"});
    EXPECT_TRUE(connect(v4, "192.0.2.7").value_or(false));
    EXPECT_TRUE(connect(v6, "2001:db8:0::7").value_or(false));
    expect_refused(connect(v4, "192.0.2.8"), "is not for 192.0.2.8");
    expect_refused(connect(v6, "192.0.2.7"), "is not for 192.0.2.7");
    expect_refused(connect(authority().issue({}), "192.0.2.7"), "is not for 192.0.2.7");
}

TEST(SessionTrust, UnknownAuthorityIsRefused) {
    test::Authority other;
    const auto result = connect(other.issue({}), "tunnel.test");
    expect_refused(result, "was not signed by a certificate authority that is trusted here");
    EXPECT_THAT(result.error().message, HasSubstr("ca_file"));
    expect_refused(connect(test::server_identity(), "tunnel.test"), "was not signed by");
}

TEST(SessionTrust, DatesAreChecked) {
    expect_refused(connect(authority().issue({.until = "20210101000000"}), "tunnel.test"), "has expired");
    expect_refused(connect(authority().issue({.from = "20980101000000"}), "tunnel.test"), "is not valid yet");
}

TEST(SessionTrust, APinAsksForNeitherDateNorHostNorAuthority) {
    const Identity expired = authority().issue({.host = "elsewhere.test", .until = "20210101000000"});
    Session client = Session::client(test::pinning_context(expired));
    Session server = Session::server(test::server_context(expired));
    EXPECT_TRUE(test::shake_hands(client, server).first.complete());
}

TEST(SessionTrust, AnAuthoritysSignatureDoesNotReplaceThePin) {
    const Identity leaf = authority().issue({});
    Session client = Session::client(test::pinning_context(authority().issue({})));
    Session server = Session::server(test::server_context(leaf));
    expect_refused(test::shake_hands(client, server).first.result, "does not match the pin");
}

// Contexts hold keys and authorities that all workers use at once.
TEST(SessionTrust, ThreadsShareContexts) {
    const auto server = test::server_context(authority().issue({}));
    const auto client = ClientContext::make(CaBundle{authority().certificate()}, "tunnel.test").value();
    std::atomic<int> complete = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int round = 0; round < 5; ++round) {
                    Session a = Session::client(client);
                    Session b = Session::server(server);
                    if (test::shake_hands(a, b).first.complete()) ++complete;
                }
            });
    }
    EXPECT_EQ(complete, 20);
}

TEST(SessionTrust, TheServersOwnCertificateCanBeTheBundle) {
    const Identity& own = test::server_identity();
    EXPECT_TRUE(connect(own, "tunnel.test", own.certificate_pem).value_or(false));
    expect_refused(connect(own, "other.test", own.certificate_pem), "is not for other.test");
}

}  // namespace
}  // namespace tunnel::tls
