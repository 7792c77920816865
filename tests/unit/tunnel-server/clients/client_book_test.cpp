#include "tunnel-server/clients/client_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tls/login_proof.hpp"

namespace tunnel::server {
namespace {

using testing::HasSubstr;
using testing::Not;

const WallTime now(Seconds(1'800'000'000));

class ClientBookTest : public testing::Test {
  protected:
    StoredClient stored(const std::string& name, std::optional<WallTime> expires = std::nullopt) const {
        return {name, tls::stored_key(secret, name), now - Seconds(60), expires};
    }
    Bytes proof_of(const Secret& with, const std::string& name) const {
        const auto proof = tls::make_proof(with, name, binding);
        return {proof.begin(), proof.end()};
    }
    Status check(const std::string& name, BytesView proof, WallTime at = now) {
        reason.clear();
        return book.check_login(name, proof, binding, at, reason);
    }

    const Secret secret = Secret::random(32);
    const Secret binding = Secret::random(tls::login_binding_size);
    ClientBook book{{stored("home"), stored("guest", now + Seconds(10))}};
    std::string reason;
};

TEST_F(ClientBookTest, TakesTheRightProof) {
    EXPECT_TRUE(check("home", proof_of(secret, "home")));
    EXPECT_EQ(reason, "");
}

TEST_F(ClientBookTest, RefusesAnotherSecret) {
    const auto refused = check("home", proof_of(Secret::random(32), "home"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unauthenticated);
    EXPECT_EQ(reason, "wrong secret");
}

TEST_F(ClientBookTest, RefusesTheProofOfAnotherNameOrAnotherConnection) {
    EXPECT_FALSE(check("home", proof_of(secret, "guest")));
    const auto elsewhere = tls::make_proof(secret, "home", Secret::random(tls::login_binding_size));
    EXPECT_FALSE(check("home", elsewhere));
}

TEST_F(ClientBookTest, RefusesProofsOfAnyOtherLength) {
    auto proof = proof_of(secret, "home");
    EXPECT_FALSE(check("home", BytesView(proof).first(31)));
    EXPECT_FALSE(check("home", {}));
    proof.push_back(0);
    EXPECT_FALSE(check("home", proof));
}

TEST_F(ClientBookTest, TellsStrangersNotWhichNamesThereAre) {
    const auto wrong = check("home", proof_of(Secret::random(32), "home"));
    const auto reason_wrong = reason;
    const auto unknown = check("nobody", proof_of(secret, "nobody"));
    ASSERT_FALSE(wrong);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(wrong.error().code, unknown.error().code);
    EXPECT_EQ(wrong.error().message, unknown.error().message);
    EXPECT_THAT(unknown.error().message, Not(HasSubstr("nobody")));
    EXPECT_NE(reason, reason_wrong);
    EXPECT_EQ(reason, "unknown client");
}

TEST_F(ClientBookTest, AnExpiredClientIsToldSoOnlyWithTheRightProof) {
    EXPECT_TRUE(check("guest", proof_of(secret, "guest"), now + Seconds(9)));
    const auto expired = check("guest", proof_of(secret, "guest"), now + Seconds(10));
    ASSERT_FALSE(expired);
    EXPECT_EQ(expired.error().code, Errc::expired);
    EXPECT_EQ(reason, "expired");
    EXPECT_THAT(expired.error().message, HasSubstr("tunnelctl client set guest --expires"));

    const auto stranger = check("guest", proof_of(Secret::random(32), "guest"), now + Seconds(10));
    ASSERT_FALSE(stranger);
    EXPECT_EQ(stranger.error().code, Errc::unauthenticated);
}

TEST_F(ClientBookTest, ADisabledClientIsToldSoOnlyWithTheRightProof) {
    book.set_access("home", std::nullopt, true);
    EXPECT_FALSE(book.may_stay("home", now));
    const auto disabled = check("home", proof_of(secret, "home"));
    ASSERT_FALSE(disabled);
    EXPECT_EQ(disabled.error().code, Errc::unavailable);
    EXPECT_THAT(disabled.error().message, HasSubstr("tunnelctl client set home --enable"));
    EXPECT_EQ(check("home", proof_of(Secret::random(32), "home")).error().code, Errc::unauthenticated);
    book.set_access("home", now + Seconds(10), false);
    EXPECT_TRUE(check("home", proof_of(secret, "home")));
    EXPECT_FALSE(book.may_stay("home", now + Seconds(10)));
}

TEST_F(ClientBookTest, AClientMayStayUntilItExpiresOrIsRemoved) {
    EXPECT_TRUE(book.may_stay("home", now + Seconds(1'000'000)));
    EXPECT_TRUE(book.may_stay("guest", now + Seconds(9)));
    EXPECT_FALSE(book.may_stay("guest", now + Seconds(10)));
    EXPECT_FALSE(book.may_stay("nobody", now));
    book.remove("home");
    EXPECT_FALSE(book.may_stay("home", now));
}

TEST_F(ClientBookTest, ANewKeyTakesThePlaceOfTheOld) {
    const auto next = Secret::random(32);
    book.set_key("home", tls::stored_key(next, "home"));
    EXPECT_FALSE(check("home", proof_of(secret, "home")));
    EXPECT_TRUE(check("home", proof_of(next, "home")));
    book.set_key("nobody", tls::stored_key(next, "nobody"));
    EXPECT_EQ(book.find("nobody"), nullptr);
}

TEST_F(ClientBookTest, ClientsComeAndGo) {
    book.add(stored("office"));
    EXPECT_TRUE(check("office", proof_of(secret, "office")));
    book.remove("office");
    EXPECT_FALSE(check("office", proof_of(secret, "office")));
    EXPECT_EQ(reason, "unknown client");
    EXPECT_EQ(book.all().size(), 2u);
}

TEST_F(ClientBookTest, KnowsWhenAClientWasSeenLast) {
    EXPECT_FALSE(book.find("home")->last_seen_at);
    book.note_seen("home", now);
    EXPECT_EQ(book.find("home")->last_seen_at, now);
    book.note_seen("nobody", now);
    EXPECT_EQ(book.find("nobody"), nullptr);
}

}  // namespace
}  // namespace tunnel::server
