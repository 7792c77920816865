#pragma once
// An event loop on the test's own thread, with a limit: a coroutine that never ends fails its test instead of
// hanging it.

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/core/clock.hpp"
#include "common/net/asio.hpp"
#include "common/net/task_group.hpp"

namespace tunnel::net::test {

class TestLoop {
  public:
    explicit TestLoop(Seconds limit = Seconds(60)) : limit_(limit) {}

    asio::io_context& context() { return context_; }
    asio::any_io_executor executor() { return context_.get_executor(); }

    // Starts a task that run() waits for. An exception from it fails the test.
    void spawn(awaitable<void> task) {
        ++running_;
        asio::co_spawn(context_, std::move(task), [this](const std::exception_ptr& error) {
            --running_;
            if (error) ADD_FAILURE() << "a task threw: " << what(error);
        });
    }
    // Of something else that run() waits for.
    void begin() { ++running_; }
    void end() { --running_; }
    // Handles events until all spawned tasks have ended.
    void run() {
        EXPECT_TRUE(run_until([this] { return running_ == 0; })) << running_ << " tasks never ended";
    }
    // Handles events until `condition` holds; false when the limit passed before.
    template <class Condition>
    bool run_until(Condition condition) {
        const auto end = Clock::now() + limit_;
        while (!condition()) {
            context_.restart();
            if (Clock::now() >= end) return false;
            // Wakes now and then for conditions that no event of this loop brings about.
            context_.run_one_for(Millis(10));
        }
        return true;
    }
    // Handles what is ready now and waits for nothing.
    void settle() {
        context_.restart();
        while (context_.poll() > 0) {
        }
    }
    // Runs one coroutine to its end and returns its value.
    template <class T>
    T get(awaitable<T> task) {
        std::optional<T> value;
        spawn(store(std::move(task), value));
        run();
        return std::move(value.value());
    }

  private:
    template <class T>
    static awaitable<void> store(awaitable<T> task, std::optional<T>& value) {
        T result = co_await std::move(task);
        value.emplace(std::move(result));
    }
    static std::string what(const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& e) {
            return e.what();
        }
    }

    Seconds limit_;
    int running_ = 0;
    asio::io_context context_{1};
    // Makes the context open the descriptors it needs for itself now, so that tests can count theirs.
    asio::steady_timer opens_reactor_{context_};
};

}  // namespace tunnel::net::test
