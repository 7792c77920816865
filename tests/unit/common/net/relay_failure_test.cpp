// Transfers that break at a random moment: whoever is left must learn that, and never take what came until
// then for the whole.

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/common/net/meddler.hpp"
#include "tests/unit/common/net/relay_chain.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

using namespace test;

constexpr int rounds = 60;

// Both parties talk for a while, and neither ends its direction by itself.
ChainPlan open_ended(wire::SeededRandom& random, Mode mode) {
    ChainPlan plan;
    plan.mode = mode;
    for (auto* party : {&plan.visitor, &plan.service}) {
        party->seed = random.number();
        party->to_send = random.below(300'000);
        party->write_chunk = 1 + random.below(40'000);
        party->read_chunk = 1 + random.below(40'000);
        party->turns_between_writes = static_cast<int>(random.below(3));
        party->turns_between_reads = static_cast<int>(random.below(3));
        party->half_close = HalfClose::never;
    }
    plan.visitor.peer_seed = plan.service.seed;
    plan.service.peer_seed = plan.visitor.seed;
    return plan;
}

class RelayFailure : public testing::TestWithParam<Mode> {
  protected:
    ~RelayFailure() override { EXPECT_EQ(lent_.pipes.leased(), 0u); }
    wire::SeededRandom random_;
    TestLoop loop_;
    Lent lent_{loop_};
};

INSTANTIATE_TEST_SUITE_P(, RelayFailure, testing::Values(Mode::plain, Mode::encrypted),
                         [](const auto& mode) { return mode.param == Mode::plain ? "Plain" : "Encrypted"; });

void expect_ends(const Chain& chain, RelayEnd server, RelayEnd client) {
    ASSERT_TRUE(chain.relays_ended());
    EXPECT_EQ(to_string(chain.server_side.result()->end), to_string(server));
    EXPECT_EQ(to_string(chain.client_side.result()->end), to_string(client));
    EXPECT_NE(chain.server_side.result()->detail, "");
    EXPECT_NE(chain.client_side.result()->detail, "");
}

// One party resets at a random byte of its own or of the other's.
void plan_reset(wire::SeededRandom& random, PartyPlan& party, const PartyPlan& peer) {
    if (random.coin())
        party.reset_after_sent = random.below(party.to_send + 1);
    else
        party.reset_after_received = random.below(peer.to_send + 1);
}

TEST_P(RelayFailure, AVisitorsResetReachesTheService) {
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
        auto plan = open_ended(random_, GetParam());
        plan_reset(random_, plan.visitor, plan.service);
        SCOPED_TRACE(plan.text());
        Chain chain(loop_, lent_, plan);
        chain.start();
        loop_.run();
        expect_broken(chain);
        expect_ends(chain, RelayEnd::outer_failed, RelayEnd::data_failed);
    }
}

TEST_P(RelayFailure, AServicesResetReachesTheVisitor) {
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
        auto plan = open_ended(random_, GetParam());
        plan_reset(random_, plan.service, plan.visitor);
        SCOPED_TRACE(plan.text());
        Chain chain(loop_, lent_, plan);
        chain.start();
        loop_.run();
        expect_broken(chain);
        expect_ends(chain, RelayEnd::data_failed, RelayEnd::outer_failed);
    }
}

TEST_P(RelayFailure, AResetBeforeTheRelayRunsEndsItAtOnce) {
    auto plan = open_ended(random_, GetParam());
    plan.service.to_send = 0;
    Chain chain(loop_, lent_, plan);
    chain.visitor.reset_now();
    chain.start();
    loop_.run();
    expect_broken(chain);
    expect_ends(chain, RelayEnd::outer_failed, RelayEnd::data_failed);
}

TEST_P(RelayFailure, AVisitorThatVanishesAfterItsHalfCloseIsNoticed) {
    auto plan = open_ended(random_, GetParam());
    plan.visitor.half_close = HalfClose::when_sent;
    Chain chain(loop_, lent_, plan);
    chain.start();
    EXPECT_TRUE(loop_.run_until(
        [&] { return chain.service.got_eof() && chain.visitor.received() == plan.service.to_send; }));
    EXPECT_EQ(chain.service.received(), plan.visitor.to_send);
    chain.visitor.reset_now();
    EXPECT_TRUE(loop_.run_until([&] { return chain.relays_ended(); }));
    expect_ends(chain, RelayEnd::outer_failed, RelayEnd::data_failed);
    EXPECT_TRUE(chain.service.is_broken());
    loop_.run();
}

TEST_P(RelayFailure, AbortFromOutsideResetsBothAndKeepsTheReason) {
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
        auto plan = open_ended(random_, GetParam());
        SCOPED_TRACE(plan.text());
        const auto moment = random_.below(plan.visitor.to_send + 1);
        const bool at_server = random_.coin();
        Chain chain(loop_, lent_, plan);
        chain.start();
        loop_.run_until([&] { return chain.service.received() >= moment; });
        auto& side = at_server ? chain.server_side : chain.client_side;
        side.relay().abort(RelayEnd::drained, "the test says so");
        side.relay().abort(RelayEnd::closed, "a later reason");
        loop_.run();
        expect_broken(chain);
        expect_ends(chain, at_server ? RelayEnd::drained : RelayEnd::data_failed,
                    at_server ? RelayEnd::data_failed : RelayEnd::drained);
        EXPECT_EQ(side.result()->detail, "the test says so");
    }
}

TEST_P(RelayFailure, AbortBeforeItRunsEndsItAtOnce) {
    Chain chain(loop_, lent_, open_ended(random_, GetParam()));
    chain.server_side.relay().abort(RelayEnd::closed, "before");
    chain.start();
    loop_.run();
    expect_broken(chain);
    EXPECT_EQ(chain.server_side.result()->end, RelayEnd::closed);
    EXPECT_EQ(chain.server_side.result()->from_outer, 0u);
}

TEST_P(RelayFailure, AnIdleRelayHoldsNoPipe) {
    auto plan = open_ended(random_, GetParam());
    Chain chain(loop_, lent_, plan);
    chain.start();
    loop_.run_until([&] {
        return chain.service.received() == plan.visitor.to_send &&
               chain.visitor.received() == plan.service.to_send;
    });
    loop_.settle();
    EXPECT_EQ(lent_.pipes.leased(), 0u);
    EXPECT_EQ(chain.server_side.relay().from_outer(), plan.visitor.to_send);
    EXPECT_EQ(chain.server_side.relay().to_outer(), plan.service.to_send);
    chain.server_side.relay().abort(RelayEnd::closed);
    loop_.run();
}

}  // namespace
}  // namespace tunnel::net
