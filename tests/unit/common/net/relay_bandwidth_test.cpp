// Relays that keep to a bandwidth. How near they come to it is measured by the bench and, with time that the
// test makes, by bandwidth_test.cpp; here nothing depends on how fast this machine is.

#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/common/net/relay_chain.hpp"

namespace tunnel::net {
namespace {

using namespace test;

struct Kind {
    const char* name;
    Mode mode;
    KernelEnds kernel;
};

class RelayBandwidth : public testing::TestWithParam<Kind> {
  protected:
    ChainPlan plan(std::size_t in, std::size_t out) const {
        ChainPlan plan;
        plan.mode = GetParam().mode;
        plan.kernel = GetParam().kernel;
        plan.visitor.seed = plan.service.peer_seed = 1;
        plan.service.seed = plan.visitor.peer_seed = 2;
        plan.visitor.to_send = in;
        plan.service.to_send = out;
        return plan;
    }
    TestLoop loop_;
    Lent lent_{loop_};
};

INSTANTIATE_TEST_SUITE_P(, RelayBandwidth,
                         testing::Values(Kind{"Plain", Mode::plain, KernelEnds::none},
                                         Kind{"Encrypted", Mode::encrypted, KernelEnds::none},
                                         Kind{"KernelTls", Mode::encrypted, KernelEnds::both}),
                         [](const auto& kind) { return kind.param.name; });

std::shared_ptr<Bandwidth> bandwidth(std::uint64_t rate, std::uint64_t burst) {
    return std::make_shared<Bandwidth>(Bandwidth::Rate{rate, burst});
}

double seconds_since(TimePoint start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

TEST_P(RelayBandwidth, EachDirectionIsNoFasterThanItsOwn) {
    Chain chain(loop_, lent_, plan(3'000'000, 1'000'000));
    const auto in = bandwidth(10'000'000, 200'000);
    const auto out = bandwidth(5'000'000, 100'000);
    chain.server_side.relay().set_bandwidths(Limiter::mapping, in, out);
    const auto start = Clock::now();
    chain.start();
    loop_.run();
    expect_complete(chain);
    EXPECT_EQ(in->passed(), 3'000'000U);
    EXPECT_EQ(out->passed(), 1'000'000U);
    EXPECT_GE(seconds_since(start), 0.28) << "what is beyond the burst takes its time";
    EXPECT_EQ(lent_.pipes.leased(), 0U);
    EXPECT_EQ(lent_.bandwidth.size(), 0U);
}

TEST_P(RelayBandwidth, VisitorsShareOne) {
    const auto shared = bandwidth(20'000'000, 100'000);
    std::deque<Chain> chains;
    const auto start = Clock::now();
    for (int i = 0; i < 8; ++i) {
        auto& chain = chains.emplace_back(loop_, lent_, plan(500'000, 10'000));
        chain.server_side.relay().set_bandwidths(Limiter::client, shared, nullptr);
        chain.start();
    }
    loop_.run();
    for (const auto& chain : chains) expect_complete(chain);
    EXPECT_EQ(shared->passed(), 4'000'000U);
    EXPECT_GE(seconds_since(start), 0.19);
}

TEST_P(RelayBandwidth, ALimitThatIsNeverReachedCostsNothingButIsCounted) {
    Chain chain(loop_, lent_, plan(4'000'000, 4'000'000));
    const auto wide = bandwidth(100'000'000'000, 1'000'000'000);
    const auto meter = std::make_shared<Bandwidth>();
    chain.server_side.relay().set_bandwidths(Limiter::mapping, wide, wide);
    chain.server_side.relay().set_bandwidths(Limiter::client, meter, meter);
    chain.start();
    loop_.run();
    expect_complete(chain);
    EXPECT_EQ(meter->passed(), 8'000'000U);
    EXPECT_EQ(lent_.bandwidth.size(), 0U);
}

TEST_P(RelayBandwidth, ALimitThatIsTakenBackLetsGoWhoWaitsForIt) {
    Chain chain(loop_, lent_, plan(1'000'000, 0));
    chain.server_side.relay().set_bandwidths(Limiter::mapping, bandwidth(1'000, 1'000), nullptr);
    chain.start();
    std::function<void()> until_it_waits = [&] {
        if (lent_.bandwidth.size() > 0)
            return chain.server_side.relay().set_bandwidths(Limiter::mapping, nullptr, nullptr);
        asio::post(loop_.context(), until_it_waits);
    };
    until_it_waits();
    loop_.run();
    expect_complete(chain);
    EXPECT_EQ(lent_.bandwidth.size(), 0U);
}

TEST_P(RelayBandwidth, OneThatWaitsForItsTurnCanBeEnded) {
    Chain chain(loop_, lent_, plan(1'000'000, 1'000'000));  // or one direction would end well
    chain.server_side.relay().set_bandwidths(Limiter::mapping, bandwidth(1'000, 1'000),
                                             bandwidth(1'000, 1'000));
    chain.start();
    std::function<void()> until_it_waits = [&] {
        if (lent_.bandwidth.size() > 0) return chain.server_side.relay().abort(RelayEnd::closed);
        asio::post(loop_.context(), until_it_waits);
    };
    until_it_waits();
    loop_.run();
    expect_broken(chain);
    EXPECT_EQ(lent_.bandwidth.size(), 0U);
    EXPECT_EQ(lent_.pipes.leased(), 0U);
}

}  // namespace
}  // namespace tunnel::net
