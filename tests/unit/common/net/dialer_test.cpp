#include "common/net/dialer.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/net/socket.hpp"
#include "common/net/task_group.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::foreign_listener;
using test::loopback;
using test::refusing_address;
using test::SilentAddress;
using test::TestLoop;
using testing::HasSubstr;

constexpr Seconds plenty{30};

TEST(Dial, ConnectsToTheFirstAddressThatAnswers) {
    TestLoop loop;
    const auto first = foreign_listener(loopback(0));
    const auto second = foreign_listener(loopback(0));
    auto fd = loop.get(dial({local_of(first.get()), local_of(second.get())}, plenty));
    ASSERT_TRUE(fd);
    EXPECT_EQ(peer_of(fd->get()), local_of(first.get()));
    EXPECT_TRUE(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK);
}

TEST(Dial, ASilentAddressCostsItsHeadStartOnly) {
    TestLoop loop;
    const SilentAddress silent;
    const auto live = foreign_listener(loopback(0));
    const auto started = Clock::now();
    auto fd = loop.get(dial({silent.endpoint(), local_of(live.get())}, plenty));
    ASSERT_TRUE(fd);
    EXPECT_EQ(peer_of(fd->get()), local_of(live.get()));
    EXPECT_GE(Clock::now() - started, Millis(200)) << "the first address has a head start";
    EXPECT_LT(Clock::now() - started, Seconds(5));
}

TEST(Dial, ARefusedAddressGivesTheNextItsTurnAtOnce) {
    TestLoop loop;
    const auto live = foreign_listener(loopback(0));
    Endpoints addresses;
    for (int i = 0; i < 20; ++i) addresses.push_back(refusing_address());
    addresses.push_back(local_of(live.get()));
    const auto started = Clock::now();
    auto fd = loop.get(dial(addresses, plenty));
    ASSERT_TRUE(fd);
    EXPECT_LT(Clock::now() - started, Seconds(4)) << "20 head starts would take 5 seconds";
}

TEST(Dial, WhenAllRefuseTheErrorNamesEach) {
    TestLoop loop;
    const Endpoints addresses{refusing_address(), refusing_address()};
    const auto fd = loop.get(dial(addresses, plenty));
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code, Errc::unavailable);
    for (const auto& address : addresses)
        EXPECT_THAT(fd.error().message, HasSubstr(to_text(address) + ": Connection refused"));
}

TEST(Dial, SilenceIsATimeout) {
    TestLoop loop;
    const SilentAddress silent;
    const auto started = Clock::now();
    const auto fd = loop.get(dial({silent.endpoint()}, Millis(50)));
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code, Errc::timeout);
    EXPECT_THAT(fd.error().message, HasSubstr(to_text(silent.endpoint())));
    EXPECT_THAT(fd.error().message, HasSubstr("50ms"));
    EXPECT_LT(Clock::now() - started, Seconds(5));
}

TEST(Dial, ATimeoutAfterARefusalTellsOfBothAddresses) {
    TestLoop loop;
    const SilentAddress silent;
    const auto refusing = refusing_address();
    const auto fd = loop.get(dial({silent.endpoint(), refusing}, Millis(400)));
    ASSERT_FALSE(fd);
    EXPECT_THAT(fd.error().message, HasSubstr(to_text(refusing)));
    EXPECT_THAT(fd.error().message, HasSubstr(to_text(silent.endpoint())));
}

TEST(Dial, NoAddressIsAnError) {
    TestLoop loop;
    EXPECT_FALSE(loop.get(dial({}, plenty)));
}

TEST(Dial, LosersOfTheRaceAreClosed) {
    const auto before = test::open_descriptors();
    {
        TestLoop loop;
        const SilentAddress silent;
        const auto live = foreign_listener(loopback(0));
        auto fd = loop.get(dial({silent.endpoint(), local_of(live.get())}, plenty));
        ASSERT_TRUE(fd);
        loop.settle();
        EXPECT_TRUE(loop.context().stopped()) << "an attempt still runs";
    }
    EXPECT_EQ(test::open_descriptors(), before);
}

awaitable<void> open_another_after_dialling(Endpoints addresses, UniqueFd& another) {
    auto fd = co_await dial(std::move(addresses), plenty);
    EXPECT_TRUE(fd);
    another = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Takes the loser's place in the event loop, as the other socket took its number.
    Descriptor socket(co_await asio::this_coro::executor, fd ? fd->release() : -1);
    const auto [error] = co_await socket.async_wait(Descriptor::wait_write, use_result);
    EXPECT_FALSE(error);
}

TEST(Dial, TheLosersConnectDoesNotGoOnWithAnotherSocket) {
    TestLoop loop;
    const SilentAddress silent;
    const auto live = foreign_listener(loopback(0));
    UniqueFd another;
    loop.spawn(open_another_after_dialling({silent.endpoint(), local_of(live.get())}, another));
    loop.run();
    EXPECT_EQ(local_of(another.get()).port(), 0) << "somebody connects it";
}

awaitable<void> dial_in_vain(Endpoints addresses) {
    auto fd = co_await dial(std::move(addresses), std::chrono::hours(1));
    EXPECT_FALSE(fd);
}

awaitable<void> join(TaskGroup& group) {
    co_await group.join();
}

// A worker's thread can only be joined when nothing of it waits any more.
TEST(Dial, ACancelledTaskLeavesNoAttemptBehind) {
    TestLoop loop;
    const SilentAddress silent;
    TaskGroup group(loop.executor(), [](const std::exception& bug) { ADD_FAILURE() << bug.what(); });
    group.spawn(dial_in_vain({silent.endpoint()}));
    loop.settle();
    group.cancel();
    loop.spawn(join(group));
    loop.run();
    loop.settle();
    EXPECT_TRUE(loop.context().stopped()) << "an attempt still runs";
}

TEST(Resolver, NumericAddressesAreAnsweredWithoutAQuery) {
    TestLoop loop;
    Resolver resolver(loop.executor());
    const auto v4 = loop.get(resolver.resolve({"192.0.2.7", 80}, Seconds(0)));
    ASSERT_TRUE(v4);
    EXPECT_EQ(*v4, Endpoints{tcp::endpoint(asio::ip::make_address("192.0.2.7"), 80)});
    const auto v6 = loop.get(resolver.resolve({"2001:db8::7", 443}, Seconds(0)));
    ASSERT_TRUE(v6);
    EXPECT_EQ(*v6, Endpoints{tcp::endpoint(asio::ip::make_address("2001:db8::7"), 443)});
}

TEST(Resolver, FindsLocalhost) {
    TestLoop loop;
    Resolver resolver(loop.executor());
    const auto found = loop.get(resolver.resolve({"localhost", 8080}, plenty));
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_FALSE(found->empty());
    for (const auto& endpoint : *found) {
        EXPECT_TRUE(endpoint.address().is_loopback());
        EXPECT_EQ(endpoint.port(), 8080);
    }
}

// No label is longer than 63 characters (RFC 1035), so that no name server is asked for this one.
const std::string no_name = std::string(64, 'x') + ".invalid";

TEST(Resolver, ANameThatCannotBeResolvedIsNamed) {
    TestLoop loop;
    Resolver resolver(loop.executor());
    const auto found = loop.get(resolver.resolve({no_name, 80}, plenty));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::unavailable);
    EXPECT_THAT(found.error().message, HasSubstr(no_name));
}

// With no time to ask anybody, only the cache can answer.
TEST(Resolver, AnswersFromItsCache) {
    TestLoop loop;
    Resolver resolver(loop.executor(), std::chrono::hours(1));
    const auto first = loop.get(resolver.resolve({"localhost", 80}, plenty));
    const auto cached = loop.get(resolver.resolve({"localhost", 443}, Seconds(0)));
    ASSERT_TRUE(first && cached);
    ASSERT_EQ(cached->size(), first->size());
    EXPECT_EQ(cached->front().address(), first->front().address());
    EXPECT_EQ(cached->front().port(), 443);
}

TEST(Resolver, AnOldAnswerIsBetterThanNone) {
    TestLoop loop;
    Resolver resolver(loop.executor(), Seconds(0));
    const auto first = loop.get(resolver.resolve({"localhost", 80}, plenty));
    const auto again = loop.get(resolver.resolve({"localhost", 80}, Seconds(0)));
    ASSERT_TRUE(first && again);
    EXPECT_EQ(*again, *first);
}

TEST(Resolver, AFailureIsNotCached) {
    TestLoop loop;
    Resolver resolver(loop.executor());
    EXPECT_FALSE(loop.get(resolver.resolve({no_name, 80}, plenty)));
    EXPECT_FALSE(loop.get(resolver.resolve({no_name, 80}, plenty)));
    EXPECT_TRUE(loop.get(resolver.resolve({"localhost", 80}, plenty)));
}

}  // namespace
}  // namespace tunnel::net
