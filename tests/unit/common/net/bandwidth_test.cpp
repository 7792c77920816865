#include "common/net/relay/bandwidth.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tunnel::net {
namespace {

const TimePoint start{Seconds(1000)};

// One worker on which greedy or modest readers share what they are given; time is the test's.
class Bandwidths : public ::testing::Test {
  protected:
    struct Reader {
        Reader(BandwidthQueue& queue, Throttle::Bandwidths of, std::size_t a_tick)
            : throttle(queue, std::move(of)), wish(a_tick) {}
        Throttle throttle;
        std::size_t wish;  // bytes that come for it between two ticks
        std::size_t unread = 0;
        std::uint64_t read = 0;
    };

    Reader& add(Throttle::Bandwidths of, std::size_t wish = 100'000'000) {
        auto& reader = *readers.emplace_back(std::make_unique<Reader>(queue, std::move(of), wish));
        reader.throttle.on_turn([this, &reader] { run(reader); });
        return reader;
    }
    void run(Reader& reader) {
        while (reader.unread > 0) {
            const auto allowed = std::min(reader.throttle.allowance(now), reader.unread);
            if (allowed == 0) return;
            reader.throttle.used(allowed);
            reader.read += allowed;
            reader.unread -= allowed;
        }
        reader.throttle.rest();
    }
    void pass(Clock::duration time) {
        for (const auto end = now + time; now < end; now += BandwidthQueue::interval) {
            for (auto& reader : readers) {
                reader->unread = std::min(reader->unread + reader->wish, std::size_t{200'000'000});
                run(*reader);
            }
            queue.tick(now);
        }
    }
    static std::shared_ptr<Bandwidth> of(std::uint64_t rate) {
        return std::make_shared<Bandwidth>(Bandwidth::Rate{rate, std::max<std::uint64_t>(2048, rate / 20)});
    }

    asio::io_context context;
    BandwidthQueue queue{context};
    TimePoint now = start;
    std::vector<std::unique_ptr<Reader>> readers;
};

TEST_F(Bandwidths, OneReaderGetsItsRateWithinThreePercent) {
    for (const std::uint64_t rate : {10'000ULL, 125'000ULL, 12'500'000ULL, 1'250'000'000ULL}) {
        readers.clear();
        auto& reader = add({of(rate), nullptr});
        pass(Seconds(10));
        const auto wanted = static_cast<double>(rate) * 10;
        EXPECT_NEAR(static_cast<double>(reader.read), wanted, wanted * 0.03) << rate;
    }
}

// A splice of what is left of a lease would be a short one.
TEST_F(Bandwidths, WithPlentyOfBytesEveryReadMayBeALongOne) {
    constexpr std::size_t long_read = 128 * 1024;
    auto& throttle = add({of(100'000'000'000), of(100'000'000'000)}).throttle;
    for (int i = 0; i < 100; ++i) {
        ASSERT_GE(throttle.allowance(now), long_read) << i;
        throttle.used(100'000);
    }
}

TEST_F(Bandwidths, ManyGreedyReadersShareFairly) {
    const auto shared = of(12'500'000);
    for (int i = 0; i < 50; ++i) add({shared, nullptr});
    pass(Seconds(1));  // what was saved goes to whoever comes first
    const auto before = shared->passed();
    for (auto& reader : readers) reader->read = 0;
    pass(Seconds(10));
    EXPECT_NEAR(static_cast<double>(shared->passed() - before), 125e6, 125e6 * 0.03);
    for (const auto& reader : readers) EXPECT_NEAR(static_cast<double>(reader->read), 2.5e6, 2.5e6 * 0.03);
}

TEST_F(Bandwidths, AModestReaderIsNotHeldBackByGreedyOnes) {
    const auto shared = of(12'500'000);
    for (int i = 0; i < 10; ++i) add({shared, nullptr});
    auto& modest = add({shared, nullptr}, 1'000);  // 250 KB a second of its 1.1 MB
    pass(Seconds(10));
    EXPECT_NEAR(static_cast<double>(modest.read), 2.5e6, 2.5e6 * 0.03);
}

TEST_F(Bandwidths, TheTighterOfTwoCounts) {
    const auto client = of(1'000'000);
    auto& first = add({of(50'000'000), client});
    auto& second = add({of(250'000), client});
    pass(Seconds(10));
    EXPECT_NEAR(static_cast<double>(client->passed()), 1e7, 1e7 * 0.03);
    EXPECT_NEAR(static_cast<double>(second.read), 2.5e6, 2.5e6 * 0.05);
    EXPECT_NEAR(static_cast<double>(first.read), 7.5e6, 7.5e6 * 0.05);
}

TEST_F(Bandwidths, WithoutLimitNobodyWaitsAndBytesAreCounted) {
    const auto meter = std::make_shared<Bandwidth>();
    auto& reader = add({meter, nullptr}, 1'000'000);
    pass(Seconds(1));
    EXPECT_EQ(reader.read, 250'000'000U);
    EXPECT_EQ(meter->passed(), reader.read);
    EXPECT_EQ(queue.size(), 0U);
}

TEST_F(Bandwidths, ANewRateReachesThoseWhoWait) {
    const auto shared = of(10'000);
    auto& reader = add({shared, nullptr});
    pass(Seconds(1));
    shared->set_rate({1'000'000, 50'000});
    const auto before = reader.read;
    pass(Seconds(10));
    EXPECT_NEAR(static_cast<double>(reader.read - before), 1e7, 1e7 * 0.03);
    shared->set_rate({});
    pass(Millis(8));
    EXPECT_EQ(queue.size(), 0U);
}

TEST_F(Bandwidths, WhoGoesLeavesTheQueueAndGivesBackItsLease) {
    const auto shared = std::make_shared<Bandwidth>(Bandwidth::Rate{10'000, 10'000});
    {
        Throttle idle(queue, {shared, nullptr});
        EXPECT_EQ(idle.allowance(now), 10'000U);
        idle.used(1'000);
        Throttle waiting(queue, {shared, nullptr});
        EXPECT_EQ(waiting.allowance(now), 0U);
        EXPECT_EQ(queue.size(), 1U);
    }
    EXPECT_EQ(queue.size(), 0U);
    Throttle next(queue, {shared, nullptr});
    EXPECT_EQ(next.allowance(now), 9'000U);
}

TEST_F(Bandwidths, NobodyOvertakesThoseWhoWait) {
    const auto shared = std::make_shared<Bandwidth>(Bandwidth::Rate{10'000, 10'000});
    Throttle first(queue, {shared, nullptr});
    Throttle second(queue, {shared, nullptr});
    int turns = 0;
    second.on_turn([&] { ++turns; });
    first.used(first.allowance(now));
    EXPECT_EQ(second.allowance(now), 0U);
    now += Seconds(1);
    EXPECT_EQ(first.allowance(now), 0U) << "it waits behind the other, although bytes are there";
    first.on_turn([] {});
    queue.tick(now);
    EXPECT_EQ(turns, 1);
    EXPECT_GT(second.allowance(now), 0U);
}

TEST(BandwidthTimer, RunsOnlyWhileSomebodyWaits) {
    asio::io_context context;
    BandwidthQueue queue(context);
    const auto shared = std::make_shared<Bandwidth>(Bandwidth::Rate{1'000'000, 4'096});
    Throttle throttle(queue, {shared, nullptr});
    std::size_t got = 0;
    throttle.on_turn([&] { got = throttle.allowance(Clock::now()); });
    throttle.used(throttle.allowance(Clock::now()));
    EXPECT_EQ(throttle.allowance(Clock::now()), 0U);
    context.run();  // returns when no timer is set any more
    EXPECT_GT(got, 0U);
    EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace tunnel::net
