// What a host without IPv6, or a user without privileges, gets. Each in a child process, which loses what
// cannot be given back.

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>

#include "common/net/listener.hpp"
#include "common/net/socket.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

constexpr int as_expected = 0;
constexpr int not_as_expected = 1;
constexpr int cannot_be_tested = 0;

// From now on socket(AF_INET6) fails as on a kernel booted with ipv6.disable=1.
bool take_ipv6_away() {
    std::array<sock_filter, 6> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

int listen_without_ipv6() {
    if (!take_ipv6_away()) return cannot_be_tested;
    const auto wildcard = open_listeners(tcp::endpoint(asio::ip::address_v6::any(), 0), 2);
    if (!wildcard || bound_address(*wildcard).address() != asio::ip::address_v4::any())
        return not_as_expected;
    const auto visitor = test::start_connect(test::loopback(bound_address(*wildcard).port()));
    if (!visitor) return not_as_expected;
    const auto named = open_listeners(tcp::endpoint(asio::ip::address_v6::loopback(), 0), 1);
    if (named) return not_as_expected;
    return named.error().message.find("[::1]") != std::string::npos ? as_expected : not_as_expected;
}

TEST(ListenerDeathTest, TheIpv4WildcardTakesThePlaceOfIpv6sWhereThereIsNone) {
    EXPECT_EXIT(::_exit(listen_without_ipv6()), testing::ExitedWithCode(as_expected), "");
}

int listen_without_privileges() {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return cannot_be_tested;
    const auto sockets = open_listeners(test::loopback(1), 1);
    if (sockets || sockets.error().code != Errc::not_allowed) return not_as_expected;
    return sockets.error().message.find("CAP_NET_BIND_SERVICE") != std::string::npos ? as_expected
                                                                                     : not_as_expected;
}

TEST(ListenerDeathTest, APrivilegedPortSaysWhatItNeeds) {
    int first_open_port = 0;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_open_port;
    if (first_open_port <= 1) GTEST_SKIP() << "every port is open to every user here";
    EXPECT_EXIT(::_exit(listen_without_privileges()), testing::ExitedWithCode(as_expected), "");
}

}  // namespace
}  // namespace tunnel::net
