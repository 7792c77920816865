#include <gmock/gmock.h>

#include <cctype>
#include <string>

#include "tunnel-client/config/client_config.hpp"

namespace tunnel::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string new_link =
    "tunnel://home:EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8@vps.example.com:7000"
    "?pin=oKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8";

config::JoinLink link() {
    return config::parse_join_link(new_link).value();
}

std::string replaced(std::string_view text) {
    const auto result = replace_link(text, link(), "c.toml");
    EXPECT_TRUE(result) << text << result.error().message;
    return result ? std::string(text_of(result->reveal())) : "";
}

TEST(ReplaceLink, KeepsEveryOtherByte) {
    EXPECT_EQ(replaced("# \xe2\x82\xac head\n\n  link   =  \"old \xc3\xa9\"   # where\nworkers = "
                       "1\n[[mapping]]\nname = \"link = \"\n"),
              "# \xe2\x82\xac head\n\n  link   =  \"" + new_link +
                  "\"   # where\nworkers = 1\n[[mapping]]\nname = \"link = \"\n");
    EXPECT_EQ(replaced("workers = 1\r\nlink = 'old'\r\ndrain = \"1s\""),
              "workers = 1\r\nlink = \"" + new_link + "\"\r\ndrain = \"1s\"");
    EXPECT_EQ(replaced("\"link\" = \"\"\"old\nlines\"\"\" # c\n"), "\"link\" = \"" + new_link + "\" # c\n");
    EXPECT_EQ(replaced("link = 5"), "link = \"" + new_link + "\"");
}

TEST(ReplaceLink, ACommentedLinkIsAComment) {
    EXPECT_EQ(replaced("# link = \"old\"\nworkers = 1\n"),
              "link = \"" + new_link + "\"\n# link = \"old\"\nworkers = 1\n");
}

TEST(ReplaceLink, GoesToTheTopWhereThereIsNone) {
    EXPECT_EQ(replaced(""), "link = \"" + new_link + "\"\n");
    EXPECT_EQ(replaced("[log]\nlevel = \"info\"\n"),
              "link = \"" + new_link + "\"\n[log]\nlevel = \"info\"\n");
    EXPECT_EQ(replaced("[x]\nlink = \"other\"\n"), "link = \"" + new_link + "\"\n[x]\nlink = \"other\"\n")
        << "a key of the same name in a table is another key";
    EXPECT_EQ(replaced("\xef\xbb\xbfworkers = 1\n"),
              "\xef\xbb\xbflink = \"" + new_link + "\"\nworkers = 1\n");
}

TEST(ReplaceLink, TheResultLoadsWithTheNewLink) {
    const auto once = replaced("workers = 3\n[[mapping]]\nname = \"a\"\nto = \"1\"\n");
    const auto twice = replaced(once);
    EXPECT_EQ(once, twice);
    const auto config = parse_client_config(twice, "c.toml");
    ASSERT_TRUE(config);
    EXPECT_TRUE(*config->link == link());
    EXPECT_EQ(config->workers, 3U);
    EXPECT_EQ(config->mappings.size(), 1U);
}

TEST(ReplaceLink, AFileThatIsNotTomlIsLeftAlone) {
    const auto result = replace_link("link = \"old\"\nworkers = \n", link(), "c.toml");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::invalid);
    EXPECT_THAT(result.error().message, HasSubstr("c.toml:2:"));
    EXPECT_THAT(result.error().message, Not(HasSubstr("EBES")));
}

TEST(ClientTemplate, LoadsWithTheLinkAndTheDefaults) {
    const Secret text = client_config_template(link());
    const auto config = parse_client_config(text_of(text.reveal()), "c.toml");
    ASSERT_TRUE(config) << config::to_error(config.error()).message;
    EXPECT_TRUE(*config->link == link());
    EXPECT_EQ(config->allow, loopback_rules());
    EXPECT_TRUE(config->mappings.empty());
}

// Takes the "# " away before each table and each "key = ".
std::string without_comment_marks(std::string text) {
    constexpr std::string_view mark = "\n# ";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        const auto start = at + mark.size();
        auto end = start;
        while (end < text.size() && (std::islower(static_cast<unsigned char>(text[end])) || text[end] == '_'))
            ++end;
        if (text[start] == '[' || (end > start && text.compare(end, 3, " = ") == 0)) text.erase(at + 1, 2);
    }
    return text;
}

TEST(ClientTemplate, ItsCommentsAreGoodTomlWithEveryKey) {
    const Secret text = client_config_template(link());
    // Whoever takes the "# " away from the keys and tables gets a config that loads.
    const auto bare = without_comment_marks(std::string(text_of(text.reveal())));
    const auto config = parse_client_config(bare, "c.toml");
    ASSERT_TRUE(config) << config::to_error(config.error()).message;
    EXPECT_EQ(config->mappings.size(), 6U);
    EXPECT_EQ(config->drain, ClientConfig{}.drain);
    EXPECT_EQ(config->dial_timeout, ClientConfig{}.dial_timeout);
    EXPECT_EQ(config->heartbeat, ClientConfig{}.heartbeat);
    EXPECT_EQ(config->log, ClientConfig{}.log);
    for (const auto& key : client_config_keys())
        EXPECT_THAT(bare, HasSubstr("\n" + key.substr(key.rfind('.') + 1) + " = "));
}

}  // namespace
}  // namespace tunnel::client
