#pragma once
// The one place that knows how this Asio release spells what we use, so that another release changes one
// file. Debian 12 has 1.22.1, where as_tuple and the awaitable operators are still experimental; 1.24 and
// later moved as_tuple out.

#include <asio.hpp>
#if ASIO_VERSION < 102400
#include <asio/experimental/as_tuple.hpp>
#else
#include <asio/as_tuple.hpp>
#endif
#include <asio/experimental/awaitable_operators.hpp>

namespace tunnel::net {

using asio::awaitable;
using tcp = asio::ip::tcp;

#if ASIO_VERSION < 102400
// co_await op(..., use_result) yields a tuple that begins with std::error_code and never throws.
constexpr auto use_result = asio::experimental::as_tuple(asio::use_awaitable);
#else
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
#endif

// Any socket or pipe by its descriptor; used for readiness only, the bytes move by our own system calls.
using Descriptor = asio::posix::stream_descriptor;

}  // namespace tunnel::net
