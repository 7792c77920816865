#pragma once
// Asking another thread: runs a function on that thread's executor and brings its value back to the
// coroutine's own thread. Values cross, references do not: the function owns what it captured. The other
// thread must be running.

#include <optional>
#include <type_traits>
#include <utility>

#include "common/net/asio.hpp"

namespace tunnel::net {

//   auto pending = ask(executor, [args = std::move(args)] { return value; });
//   auto value = co_await std::move(pending);      (two statements: see asio.hpp)
// The value must be movable.
// The function must not throw.
template <class Function>
auto ask(asio::any_io_executor where, Function function) -> awaitable<std::invoke_result_t<Function&>> {
    using Value = std::invoke_result_t<Function&>;
    const auto here = co_await asio::this_coro::executor;
    auto initiate = [](auto handler, asio::any_io_executor target, asio::any_io_executor home,
                       Function work) {
        asio::post(
            target, [handler = std::move(handler), home = std::move(home), work = std::move(work)]() mutable {
                if constexpr (std::is_void_v<Value>) {
                    work();
                    asio::post(home, [handler = std::move(handler)]() mutable { std::move(handler)(); });
                } else {
                    asio::post(home, [handler = std::move(handler), value = work()]() mutable {
                        std::move(handler)(std::move(value));
                    });
                }
            });
    };
    if constexpr (std::is_void_v<Value>) {
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            initiate, asio::use_awaitable, where, here, std::move(function));
    } else {
        co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Value)>(
            initiate, asio::use_awaitable, where, here, std::move(function));
    }
}

}  // namespace tunnel::net
