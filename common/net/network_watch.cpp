#include "common/net/network_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>

#include "common/net/unique_fd.hpp"

namespace tunnel::net {

awaitable<void> watch_network(std::function<void()> on_change) {
    UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups =
        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) co_return;
    Descriptor socket(co_await asio::this_coro::executor, fd.release());
    std::array<char, 8192> buffer;
    for (;;) {
        const auto [error] = co_await socket.async_wait(Descriptor::wait_read, use_result);
        if (error) co_return;
        // What changed does not matter. ENOBUFS (messages were lost) is a change, too.
        while (::recv(socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
        }
        on_change();
    }
}

}  // namespace tunnel::net
