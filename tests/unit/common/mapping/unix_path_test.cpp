#include "common/mapping/unix_path.hpp"

#include <gmock/gmock.h>

namespace tunnel {
namespace {

using ::testing::HasSubstr;

TEST(UnixPath, IsAbsoluteAndPlain) {
    EXPECT_EQ(parse_unix_path("/run/web.sock"), "/run/web.sock");
    EXPECT_EQ(parse_unix_path("/x"), "/x");
    EXPECT_TRUE(parse_unix_path("/" + std::string(106, 'x')));
    for (const std::string& text :
         {std::string(""), std::string("web.sock"), std::string("/"), std::string("/run/"),
          std::string("//x"), std::string("/run/../etc/x"), std::string("/run/./x"), std::string("/run/.."),
          "/" + std::string(107, 'x'), std::string("/run/a\nb"), std::string("/run/\0x", 7)}) {
        const auto path = parse_unix_path(text);
        ASSERT_FALSE(path) << text;
        EXPECT_THAT(path.error().message, HasSubstr("is not the path of a Unix socket"));
    }
}

TEST(UnixPath, PatternsNameAPathOrAFolder) {
    const auto one = *parse_unix_path_pattern("/run/web.sock");
    EXPECT_TRUE(one.matches("/run/web.sock"));
    EXPECT_FALSE(one.matches("/run/web.socks"));
    const auto folder = *parse_unix_path_pattern("/run/tunnel-server/*");
    EXPECT_TRUE(folder.matches("/run/tunnel-server/web.sock"));
    EXPECT_FALSE(folder.matches("/run/tunnel-server/sub/web.sock"));
    EXPECT_FALSE(folder.matches("/run/tunnel-server2/web.sock"));
    EXPECT_FALSE(folder.matches("/run/web.sock"));
    EXPECT_TRUE(parse_unix_path_pattern("/*")->matches("/web.sock"));
    for (const auto* text : {"/run/web.sock", "/run/tunnel-server/*", "/*"})
        EXPECT_EQ(to_string(*parse_unix_path_pattern(text)), text);
    for (const auto* text : {"/run/*/x", "/run/*.sock", "run/*", "/run/**"})
        EXPECT_FALSE(parse_unix_path_pattern(text)) << text;
}

}  // namespace
}  // namespace tunnel
