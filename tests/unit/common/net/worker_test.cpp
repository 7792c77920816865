// Workers, and the relays that run on them as others see them: listed, counted and ended.

#include "common/net/worker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <stdexcept>
#include <utility>

#include "common/net/deadline.hpp"
#include "common/net/hop.hpp"
#include "common/net/relay/relay.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::TcpPair;
using test::TestLoop;

awaitable<void> wait_for_ever(std::atomic<int>& ended) {
    co_await pause_for(std::chrono::hours(1));
    ++ended;
}

awaitable<bool> stop(WorkerPool& pool) {
    auto pending = pool.stop();
    co_await std::move(pending);
    co_return true;
}

TEST(WorkerPool, StopCancelsWhatRunsAwaitsItAndJoinsTheThreads) {
    TestLoop loop;
    WorkerPool pool(3, Log::none());
    pool.start();
    std::atomic<int> ended{0};
    for (std::size_t i = 0; i < pool.size(); ++i) {
        auto& worker = pool.at(i);
        asio::post(worker.executor(), [&] { worker.tasks().spawn(wait_for_ever(ended)); });
    }
    EXPECT_TRUE(loop.get(stop(pool)));
    EXPECT_EQ(ended, 3);
}

TEST(WorkerPool, WorkersTakeTurns) {
    WorkerPool pool(3, Log::none());
    std::vector<unsigned> order;
    for (int i = 0; i < 7; ++i) order.push_back(pool.next().index());
    EXPECT_EQ(order, (std::vector<unsigned>{0, 1, 2, 0, 1, 2, 0}));
}

TEST(WorkerPool, ThereIsOneWorkerPerCoreUnlessTold) {
    EXPECT_GE(WorkerPool(0, Log::none()).size(), 1u);
    EXPECT_EQ(WorkerPool(5, Log::none()).size(), 5u);
}

TEST(WorkerPool, AnEscapedExceptionIsLoggedAndEndsNothing) {
    TestLoop loop;
    std::atomic<int> lines{0};
    const auto log = Log::to_function(LogLevel::info, LogFormat::text, [&lines](std::string_view line) {
        if (line.find("the bug") != std::string_view::npos) ++lines;
    });
    WorkerPool pool(1, log);
    pool.start();
    struct Thrower {
        static awaitable<void> run() {
            co_await asio::post(asio::use_awaitable);
            throw std::runtime_error("the bug");
        }
    };
    asio::post(pool.at(0).executor(), [&] { pool.at(0).tasks().spawn(Thrower::run()); });
    EXPECT_TRUE(loop.run_until([&] { return lines == 1; }));
    EXPECT_TRUE(loop.get(stop(pool)));
}

// A visitor's socket and a data connection, joined on some worker.
struct Joined {
    TcpPair outer;
    TcpPair data;
    std::atomic<bool> running{false};
    std::atomic<int> end{-1};
};

class RunningRelays : public testing::Test {
  protected:
    RunningRelays() { pool_.start(); }
    ~RunningRelays() override {
        stop_workers();
        EXPECT_EQ(pool_.at(0).pipes().leased() + pool_.at(1).pipes().leased(), 0u);
    }
    void stop_workers() {
        if (std::exchange(stopped_, true)) return;
        EXPECT_TRUE(loop_.get(stop(pool_)));
    }
    Joined& start(std::size_t worker_index, std::uint64_t id, std::string client, std::string mapping) {
        auto& joined = joined_.emplace_back();
        auto& worker = pool_.at(worker_index);
        RelayLabel label{ConnectionId{id}, std::move(client), std::move(mapping), "192.0.2.1:5", false, {}};
        joined.outer.prepare();
        joined.data.prepare();
        asio::post(worker.executor(), [&worker, &joined, label = std::move(label)] {
            worker.relays().add(label, std::move(joined.outer.far), std::move(joined.data.far), std::nullopt);
            worker.relays().run(label.id, nullptr, [&joined](const RelayLabel&, const RelayResult& result) {
                joined.end = static_cast<int>(result.end);
            });
            joined.running = true;
        });
        EXPECT_TRUE(loop_.run_until([&] { return joined.running.load(); }));
        return joined;
    }
    template <class Function>
    auto on_worker(std::size_t index, Function function) {
        auto pending = ask(pool_.at(index).executor(), std::move(function));
        return loop_.get(std::move(pending));
    }
    bool ends(const Joined& joined, RelayEnd end) {
        return loop_.run_until([&] { return joined.end >= 0; }) && joined.end == static_cast<int>(end);
    }
    std::size_t running() { return loop_.get(pool_.running_relays()); }

    TestLoop loop_;
    std::deque<Joined> joined_;  // workers hold references until the pool has stopped
    WorkerPool pool_{2, Log::none()};
    bool stopped_ = false;
};

TEST_F(RunningRelays, AreListedWithTheirBytes) {
    auto& joined = start(0, 7, "home", "ssh");
    test::send_all(joined.outer.near.get(), view_of("four"));
    EXPECT_EQ(text_of(test::receive_exactly(joined.data.near.get(), 4)), "four");
    test::send_all(joined.data.near.get(), view_of("sixsix"));
    EXPECT_EQ(text_of(test::receive_exactly(joined.outer.near.get(), 6)), "sixsix");
    const auto list = on_worker(0, [this] { return pool_.at(0).relays().list(); });
    ASSERT_EQ(list.size(), 1u);
    EXPECT_EQ(list[0].label.id, ConnectionId{7});
    EXPECT_EQ(list[0].label.client, "home");
    EXPECT_EQ(list[0].label.mapping, "ssh");
    EXPECT_EQ(list[0].bytes_in, 4u);
    EXPECT_EQ(list[0].bytes_out, 6u);
}

TEST_F(RunningRelays, LeaveTheListWhenTheyEnd) {
    auto& joined = start(0, 1, "home", "ssh");
    EXPECT_EQ(running(), 1u);
    joined.outer.near.reset();
    joined.data.near.reset();
    EXPECT_TRUE(ends(joined, RelayEnd::finished));
    EXPECT_EQ(running(), 0u);
}

TEST_F(RunningRelays, OneIsEndedByItsId) {
    auto& first = start(0, 1, "home", "ssh");
    auto& second = start(0, 2, "home", "ssh");
    EXPECT_FALSE(
        on_worker(0, [this] { return pool_.at(0).relays().abort(ConnectionId{3}, RelayEnd::closed); }));
    EXPECT_TRUE(
        on_worker(0, [this] { return pool_.at(0).relays().abort(ConnectionId{1}, RelayEnd::closed); }));
    EXPECT_TRUE(ends(first, RelayEnd::closed));
    EXPECT_EQ(test::end_of(first.outer.near.get()), ECONNRESET);
    EXPECT_EQ(second.end, -1);
    EXPECT_EQ(running(), 1u);
}

TEST_F(RunningRelays, ThoseOfAClientOrOfOneMappingEndTogether) {
    auto& ssh = start(0, 1, "home", "ssh");
    auto& web = start(0, 2, "home", "web");
    auto& office = start(0, 3, "office", "ssh");
    const auto abort_of = [this](std::string client, std::string mapping) {
        return on_worker(0, [this, client = std::move(client), mapping = std::move(mapping)] {
            pool_.at(0).relays().abort_of(client, mapping, RelayEnd::closed);
            return true;
        });
    };
    abort_of("home", "ssh");
    EXPECT_TRUE(ends(ssh, RelayEnd::closed));
    EXPECT_EQ(running(), 2u);
    abort_of("home", "");
    EXPECT_TRUE(ends(web, RelayEnd::closed));
    EXPECT_EQ(running(), 1u);
    EXPECT_EQ(office.end, -1);
}

awaitable<bool> abort_all(WorkerPool& pool) {
    auto pending = pool.abort_relays(RelayEnd::drained);
    co_await std::move(pending);
    co_return true;
}

TEST_F(RunningRelays, AllWorkersEndTheirsForADrain) {
    std::vector<Joined*> all;
    for (std::uint64_t id = 1; id <= 6; ++id) all.push_back(&start(id % 2, id, "home", "ssh"));
    EXPECT_EQ(running(), 6u);
    EXPECT_TRUE(loop_.get(abort_all(pool_)));
    for (const auto* joined : all) EXPECT_TRUE(ends(*joined, RelayEnd::drained));
    EXPECT_EQ(running(), 0u);
}

TEST_F(RunningRelays, ALivingButSilentPeerIsNotDead) {
    auto& joined = start(0, 1, "home", "ssh");
    on_worker(0, [this] {
        pool_.at(0).relays().abort_dead(Millis(0));
        return true;
    });
    EXPECT_EQ(joined.end, -1);
    EXPECT_EQ(running(), 1u);
}

TEST_F(RunningRelays, AreResetWhenTheWorkersStop) {
    auto& joined = start(1, 1, "home", "ssh");
    stop_workers();
    EXPECT_EQ(test::end_of(joined.outer.near.get()), ECONNRESET);
    EXPECT_EQ(test::end_of(joined.data.near.get()), ECONNRESET);
}

}  // namespace
}  // namespace tunnel::net
