#include "common/tls/websocket_accept.hpp"

#include <gtest/gtest.h>

namespace tunnel::tls {
namespace {

TEST(WebSocketAccept, TheExampleOfTheRfc) {
    EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace tunnel::tls
