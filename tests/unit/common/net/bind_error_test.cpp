// What people are told when a public address cannot be had.

#include "common/net/bind_error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace tunnel::net {
namespace {

using testing::HasSubstr;

TEST(BindErrorTest, APortInUseIsAnotherPrograms) {
    const auto error = bind_error(EADDRINUSE, "192.0.2.1:53/udp", 53).value();
    EXPECT_EQ(error.code, Errc::conflict);
    EXPECT_THAT(error.message,
                HasSubstr("192.0.2.1:53/udp is in use by another program: choose another port"));
}

TEST(BindErrorTest, WithoutAPortTheSystemHasNoneLeft) {
    const auto error = bind_error(EADDRINUSE, "192.0.2.1:0", 0).value();
    EXPECT_EQ(error.code, Errc::conflict);
    EXPECT_THAT(error.message, HasSubstr("every port that the system chooses from is in use"));
    EXPECT_THAT(error.message, HasSubstr("ip_local_port_range"));
}

TEST(BindErrorTest, LowPortsNeedAPermission) {
    const auto error = bind_error(EACCES, "0.0.0.0:80", 80).value();
    EXPECT_EQ(error.code, Errc::not_allowed);
    EXPECT_THAT(error.message, HasSubstr("CAP_NET_BIND_SERVICE"));
}

TEST(BindErrorTest, AnAddressOfAnotherHostCannotBeListenedOn) {
    EXPECT_EQ(bind_error(EADDRNOTAVAIL, "192.0.2.1:53", 53).value().code, Errc::invalid);
}

TEST(BindErrorTest, OtherErrorsSayWhatTheSystemSays) {
    EXPECT_EQ(bind_error(ENOMEM, "192.0.2.1:53", 53).value().sys_errno, ENOMEM);
}

}  // namespace
}  // namespace tunnel::net
