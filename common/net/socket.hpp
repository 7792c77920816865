#pragma once
// Socket options and addresses, each system call in one place. tcp(7), socket(7).

#include <sys/socket.h>

#include <string>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

// How soon a silent peer is noticed.
struct Liveness {
    Millis interval{10'000};
    Millis timeout{30'000};
};

// TCP_NODELAY: small messages leave at once; the relay already batches bulk.
void set_no_delay(int fd);
// TCP_DEFER_ACCEPT of a listener whose peers speak first: who has said nothing yet is not accepted for a
// second or so, and what is accepted has its first bytes with it.
void defer_accept(int fd);
// Keepalive probes after `interval` of silence; the kernel gives up at about `timeout`.
void set_keepalive(int fd, Liveness liveness);
void clear_keepalive(int fd);
// TCP_USER_TIMEOUT: unacknowledged bytes end the connection after `timeout`. Not for data connections: it
// also ends one whose reader pauses, because window probes count although they are answered.
void set_user_timeout(int fd, Millis timeout);
// While on, every close of the socket, that of a killed process too, sends a reset instead of an orderly end.
void set_reset_on_close(int fd, bool on);

// True when the connection was reset or timed out, although nobody reads from the socket.
bool is_broken(int fd);
// SO_ERROR, which the kernel then forgets; 0 when there is none.
int take_error(int fd);

// What every socket of a relay has. On a listener: what it accepts inherits them (Linux), so that a visitor
// does not cost the system calls.
void prepare_for_relay(int fd, Liveness liveness);

enum class Half { read, write };
void shut_down(int fd, Half half);

// True when the peer of a TCP socket answers nothing: bytes retransmitted or windows probed in vain for
// `timeout`.
bool peer_seems_dead(int fd, Millis timeout);

// What TCP knows of a connection, in one system call.
struct TcpPath {
    bool open = false;  // neither end has finished, and nothing broke
    // Since the peer last acknowledged anything, a keepalive probe included.
    Millis silent{0};
    std::chrono::microseconds round_trip{0};  // smoothed
};
TcpPath path_of(int fd);
// True while bytes that were sent have not been acknowledged.
bool has_unacknowledged(int fd);

IpAddress to_ip(const asio::ip::address& address);
HostPort to_host_port(const tcp::endpoint& endpoint);  // v4-mapped addresses are written as IPv4
std::string to_text(const tcp::endpoint& endpoint);
Result<tcp::endpoint> to_endpoint(const HostPort& numeric);
tcp::endpoint peer_of(int fd);
tcp::endpoint local_of(int fd);

// RLIMIT_NOFILE as it is in force; 0 when it is not known.
std::size_t descriptor_limit();
// RLIMIT_NOFILE to its hard limit; returns the limit in force.
std::size_t raise_descriptor_limit();

}  // namespace tunnel::net
