#include "tunnel-client/health/health_checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <vector>

#include "common/net/dialer.hpp"
#include "common/net/socket.hpp"
#include "common/net/stream_io.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"
#include "tunnel-client/health/health_tracker.hpp"

namespace tunnel::client {
namespace {

using net::test::TestLoop;
using testing::HasSubstr;

TEST(HealthTracker, TheFirstCheckDecidesAndThenItTakesSeveral) {
    for (const bool first : {true, false}) {
        HealthTracker tracker(2, 3);
        EXPECT_EQ(tracker.note(first), first);
        EXPECT_EQ(tracker.note(first), std::nullopt);
    }
    HealthTracker tracker(2, 3);
    EXPECT_EQ(tracker.note(true), true);
    EXPECT_EQ(tracker.note(false), std::nullopt);
    EXPECT_EQ(tracker.note(false), std::nullopt);
    EXPECT_EQ(tracker.note(true), std::nullopt) << "in a row";
    EXPECT_EQ(tracker.note(false), std::nullopt);
    EXPECT_EQ(tracker.note(false), std::nullopt);
    EXPECT_EQ(tracker.note(false), false);
    EXPECT_EQ(tracker.note(false), std::nullopt);
    EXPECT_EQ(tracker.note(true), std::nullopt);
    EXPECT_EQ(tracker.note(true), true);
}

// A service that reads a request's beginning and says `answer`; the checks' dialer brings its sockets.
class Checks : public testing::Test {
  protected:
    ~Checks() override {
        checks.set({});
        tasks.cancel();
        loop.spawn(tasks.join());
        loop.run();
    }
    net::awaitable<Result<net::UniqueFd>> dial() {
        ++dials;
        if (!accepts) co_return fail(Errc::io, "the service does not answer");
        net::test::TcpPair pair;
        net::prepare_for_relay(pair.near.get(), {});
        if (!answer.empty()) net::test::send_all(pair.far.get(), view_of(answer));
        far.push_back(std::move(pair.far));
        co_return std::move(pair.near);
    }
    HealthCheck check(HealthCheck::Kind kind, unsigned status = 0) const {
        return {kind, "/health", status, Millis(1), Seconds(20), 2, 2};
    }
    // The next change, "up" or the reason.
    std::string next() {
        const auto before = seen;
        EXPECT_TRUE(loop.run_until([&] { return changes.size() > before; }));
        return seen < changes.size() ? changes[seen++] : "nothing";
    }
    std::string judged(std::string_view says, unsigned status = 0) {
        answer = says;
        checks.set({{service, check(HealthCheck::Kind::http, status)}});
        auto told = next();
        checks.set({});
        return told;
    }

    TestLoop loop;
    const CheckedService service{"web", "nas.lan:80"};
    bool accepts = true;
    std::string answer;
    int dials = 0;
    std::vector<net::UniqueFd> far;
    std::vector<std::string> changes;
    std::size_t seen = 0;
    net::TaskGroup tasks{loop.executor(), [](const std::exception& bug) { ADD_FAILURE() << bug.what(); }};
    HealthChecks checks{tasks, [this](CheckedService, Millis) { return dial(); },
                        [this](const CheckedService&, bool up, const std::string& reason) {
                            changes.push_back(up ? "up" : reason);
                        }};
};

TEST_F(Checks, AServiceThatAcceptsIsUp) {
    checks.set({{service, check(HealthCheck::Kind::tcp)}});
    EXPECT_EQ(next(), "up");
    accepts = false;
    EXPECT_EQ(next(), "the service does not answer");
    accepts = true;
    EXPECT_EQ(next(), "up");
}

TEST_F(Checks, WhatIsTheSameGoesOnAndWhatIsGoneEnds) {
    checks.set({{service, check(HealthCheck::Kind::tcp)}});
    EXPECT_EQ(next(), "up");
    checks.set({{service, check(HealthCheck::Kind::tcp)}});
    const auto before = dials;
    EXPECT_TRUE(loop.run_until([&] { return dials > before + 2; }));
    EXPECT_EQ(changes.size(), 1u) << "it began anew";
    checks.tell_all();
    EXPECT_EQ(next(), "up");
    checks.set({});
    loop.settle();
    const auto at_end = dials;
    (void)loop.run_until([end = Clock::now() + Millis(30)] { return Clock::now() > end; });
    EXPECT_EQ(dials, at_end);
    EXPECT_EQ(tasks.size(), 0u);
}

TEST_F(Checks, AnHttpServiceIsAskedForItsPath) {
    EXPECT_EQ(judged("HTTP/1.1 204 No Content\r\n\r\n"), "up");
    const auto request = net::test::receive_exactly(far.front().get(), 40);
    EXPECT_THAT(std::string(text_of(request)), HasSubstr("GET /health HTTP/1.1\r\nHost: nas.lan:80\r\n"));
}

TEST_F(Checks, TheStatusDecides) {
    EXPECT_EQ(judged("HTTP/1.1 302 Found\r\n\r\n"), "up");
    EXPECT_EQ(judged("HTTP/1.1 500 Oh\r\n\r\n"),
              "GET /health was answered with status 500, 200 to 399 is expected");
    EXPECT_EQ(judged("HTTP/1.0 401 Who\r\n\r\n", 401), "up");
    EXPECT_EQ(judged("HTTP/1.1 200 OK\r\n\r\n", 401),
              "GET /health was answered with status 200, 401 is expected");
}

TEST_F(Checks, WhatIsNotHttpIsDown) {
    EXPECT_EQ(judged("220 mail.example.com ESMTP\r\n\r\n"), "GET /health was not answered in HTTP/1");
    EXPECT_THAT(judged(std::string(20'000, 'x')), HasSubstr("head"));
}

TEST_F(Checks, AServiceThatSaysNothingIsDownInTime) {
    auto silent = check(HealthCheck::Kind::http);
    silent.timeout = Millis(20);
    checks.set({{service, silent}});
    EXPECT_EQ(next(), "GET /health was not answered within 20ms");
}

}  // namespace
}  // namespace tunnel::client
