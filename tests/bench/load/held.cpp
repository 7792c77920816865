#include "tests/bench/load/held.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/bench/load/pattern.hpp"

namespace tunnel::bench {
namespace {

constexpr std::size_t kOnTheirWay = 64;

bool send_byte(const Fd& fd) {
    return ::send(fd.get(), &kEcho, 1, MSG_NOSIGNAL) == 1;
}

bool receive_byte(const Fd& fd) {
    std::uint8_t byte = 0;
    return ::recv(fd.get(), &byte, 1, 0) == 1 && byte == kEcho;
}

}  // namespace

std::vector<Fd> open_echoing(const Endpoint& target, std::size_t count, Clock::time_point deadline) {
    Poller poller;
    std::vector<Fd> connections;
    std::vector<bool> asked(count, false);
    connections.reserve(count);
    std::size_t ready = 0;
    while (ready < count) {
        while (connections.size() < count && connections.size() - ready < kOnTheirWay) {
            Fd fd = start_connect(target);
            if (!fd.valid()) die_errno("connection " + std::to_string(connections.size() + 1) + " failed");
            poller.watch(fd, EPOLLOUT, connections.size());
            connections.push_back(std::move(fd));
        }
        if (Clock::now() > deadline) {
            die("only " + std::to_string(ready) + " of " + std::to_string(count) +
                " connections came up in time");
        }
        for (const auto& event : poller.wait(100)) {
            const auto index = event.data.u64;
            const auto& fd = connections[index];
            const auto which = "connection " + std::to_string(index + 1);
            if (!asked[index]) {
                const int error = connect_result(fd);
                if (error != 0) die(which + " failed: " + std::strerror(error));
                if (!send_byte(fd)) die_errno(which + " took no byte");
                asked[index] = true;
                poller.change(fd, EPOLLIN, index);
            } else if (receive_byte(fd)) {
                poller.forget(fd);
                ++ready;
            } else {
                die(which + " was closed before it echoed a byte");
            }
        }
    }
    return connections;
}

std::size_t still_echoing(const std::vector<Fd>& connections, Clock::time_point deadline) {
    Poller poller;
    std::size_t waiting = 0;
    std::size_t answered = 0;
    for (std::size_t i = 0; i < connections.size(); ++i) {
        if (!send_byte(connections[i])) continue;
        poller.watch(connections[i], EPOLLIN, i);
        ++waiting;
    }
    while (waiting > 0 && Clock::now() < deadline) {
        for (const auto& event : poller.wait(100)) {
            const auto& fd = connections[event.data.u64];
            if (receive_byte(fd)) ++answered;
            poller.forget(fd);
            --waiting;
        }
    }
    return answered;
}

}  // namespace tunnel::bench
