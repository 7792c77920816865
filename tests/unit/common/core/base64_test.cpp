#include "common/core/base64.hpp"

#include <gtest/gtest.h>

namespace tunnel {
namespace {

// RFC 4648 section 10.
TEST(Base64, TheVectorsOfTheRfc) {
    EXPECT_EQ(base64_encode(view_of("")), "");
    EXPECT_EQ(base64_encode(view_of("f")), "Zg==");
    EXPECT_EQ(base64_encode(view_of("fo")), "Zm8=");
    EXPECT_EQ(base64_encode(view_of("foo")), "Zm9v");
    EXPECT_EQ(base64_encode(view_of("foob")), "Zm9vYg==");
}

TEST(Base64, UsesPlusAndSlash) {
    EXPECT_EQ(base64_encode(Bytes{0xfb, 0xff, 0xbf}), "+/+/");
}

}  // namespace
}  // namespace tunnel
