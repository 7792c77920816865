#include "tunnel-server/sessions/ticket_book.hpp"

#include <gtest/gtest.h>

namespace tunnel::server {
namespace {

class TicketBookTest : public testing::Test {
  protected:
    // What a client with the chain's ticket `number` sends.
    struct Sent {
        wire::Preface preface;
        wire::PrefaceBytes bytes{};
    };
    Sent preface_with(const Secret& key, TicketNumber number) const {
        Sent sent{{SessionId{7}, number, {}}, {}};
        fill_random(sent.preface.nonce);
        const auto head = wire::encode_preface(sent.preface);
        const auto mac = tls::preface_mac(key, head);
        std::copy(mac.begin(), mac.end(), std::copy(head.begin(), head.end(), sent.bytes.begin()));
        return sent;
    }
    Result<Secret> redeem(const Sent& sent, TimePoint at) {
        return book.redeem(sent.preface, sent.bytes, at);
    }

    const Secret data_key = Secret::random(tls::session_data_key_size);
    const TimePoint now = TimePoint(Seconds(1000));
    TicketBook book{data_key};
    tls::KeyChain client_chain{data_key};
};

TEST_F(TicketBookTest, IssuesInTheOrderOfTheClientsChain) {
    for (const std::uint32_t count : {1u, 3u, 100u}) {
        const auto dial = book.issue(count, now);
        EXPECT_EQ(dial.count, count);
        for (std::uint32_t i = 0; i < count; ++i) {
            auto ticket = client_chain.next();
            ASSERT_EQ(ticket.number.value, dial.first_ticket.value + i);
            auto key = redeem(preface_with(ticket.key, ticket.number), now);
            ASSERT_TRUE(key) << key.error().message;
            EXPECT_TRUE(*key == ticket.key);
        }
    }
    EXPECT_EQ(book.out(), 0u);
}

TEST_F(TicketBookTest, TicketsMayComeInAnyOrder) {
    (void)book.issue(3, now);
    auto first = client_chain.next();
    auto second = client_chain.next();
    auto third = client_chain.next();
    EXPECT_TRUE(redeem(preface_with(third.key, third.number), now));
    EXPECT_TRUE(redeem(preface_with(first.key, first.number), now));
    EXPECT_TRUE(redeem(preface_with(second.key, second.number), now));
}

TEST_F(TicketBookTest, ARedeemedTicketIsOfNoMoreUse) {
    (void)book.issue(1, now);
    const auto ticket = client_chain.next();
    const auto sent = preface_with(ticket.key, ticket.number);
    EXPECT_TRUE(redeem(sent, now));
    const auto replayed = redeem(sent, now);
    ASSERT_FALSE(replayed);
    EXPECT_EQ(replayed.error().code, Errc::not_allowed);
    const auto fresh_nonce = redeem(preface_with(ticket.key, ticket.number), now);
    ASSERT_FALSE(fresh_nonce);
    EXPECT_EQ(fresh_nonce.error().code, Errc::not_allowed);
}

TEST_F(TicketBookTest, AWrongMacLeavesTheTicketToItsOwner) {
    (void)book.issue(1, now);
    const auto ticket = client_chain.next();
    for (std::size_t at = 0; at < wire::preface_size; ++at) {
        auto altered = preface_with(ticket.key, ticket.number);
        altered.bytes[at] ^= 1;
        EXPECT_FALSE(redeem(altered, now)) << "byte " << at;
    }
    const auto stranger = redeem(preface_with(Secret::random(32), ticket.number), now);
    ASSERT_FALSE(stranger);
    EXPECT_EQ(stranger.error().code, Errc::unauthenticated);
    EXPECT_TRUE(redeem(preface_with(ticket.key, ticket.number), now));
}

TEST_F(TicketBookTest, RefusesWhatWasNeverIssued) {
    (void)book.issue(1, now);
    (void)client_chain.next();
    const auto second = client_chain.next();
    const auto early = redeem(preface_with(second.key, second.number), now);
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, Errc::not_allowed);
    EXPECT_FALSE(redeem(preface_with(second.key, TicketNumber{0}), now));
    EXPECT_EQ(book.out(), 1u);
}

TEST_F(TicketBookTest, RefusesTheTicketOfAnotherSession) {
    TicketBook other(Secret::random(tls::session_data_key_size));
    (void)other.issue(1, now);
    const auto ticket = client_chain.next();
    const auto sent = preface_with(ticket.key, ticket.number);
    const auto foreign = other.redeem(sent.preface, sent.bytes, now);
    ASSERT_FALSE(foreign);
    EXPECT_EQ(foreign.error().code, Errc::unauthenticated);
}

TEST_F(TicketBookTest, ATicketExpires) {
    (void)book.issue(2, now);
    const auto first = client_chain.next();
    const auto second = client_chain.next();
    EXPECT_TRUE(redeem(preface_with(first.key, first.number), now + TicketBook::lifetime - Millis(1)));
    const auto late = redeem(preface_with(second.key, second.number), now + TicketBook::lifetime);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::not_allowed);
}

TEST_F(TicketBookTest, ExpiredTicketsAreForgotten) {
    (void)book.issue(2, now);
    (void)book.issue(3, now + Seconds(30));
    book.drop_expired(now + TicketBook::lifetime - Millis(1));
    EXPECT_EQ(book.out(), 5u);
    book.drop_expired(now + TicketBook::lifetime);
    EXPECT_EQ(book.out(), 3u);
    book.drop_expired(now + Seconds(30) + TicketBook::lifetime);
    EXPECT_EQ(book.out(), 0u);
}

TEST_F(TicketBookTest, ACancelledTicketIsOfNoUse) {
    (void)book.issue(2, now);
    const auto first = client_chain.next();
    EXPECT_TRUE(book.cancel(first.number));
    EXPECT_FALSE(book.cancel(first.number));
    EXPECT_FALSE(book.cancel(TicketNumber{99}));
    EXPECT_EQ(book.out(), 1u);
    EXPECT_FALSE(redeem(preface_with(first.key, first.number), now));
}

}  // namespace
}  // namespace tunnel::server
