// The same words lead to the same mapping at each door: client.toml and the command lines.

#include <gmock/gmock.h>

#include <CLI/CLI.hpp>

#include "common/mapping/from_flags.hpp"
#include "common/mapping/from_toml.hpp"
#include "common/mapping/option_table.hpp"

namespace tunnel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct FromToml {
    std::optional<MappingOptions> mapping;
    std::vector<std::string> problems;
};

FromToml from_toml(const std::string& lines) {
    auto document = config::Document::parse("[[mapping]]\n" + lines, "c.toml");
    auto root = document.root();
    auto tables = root.tables("mapping");
    FromToml out{read_mapping(tables.at(0)), {}};
    for (const auto& problem : document.finish()) out.problems.push_back(config::to_string(problem));
    return out;
}

Result<MappingOptions> from_flags(std::vector<std::string> words, const std::string& name = "web") {
    CLI::App app;
    MappingFlags flags;
    flags.add_to(app, "--to", "--port");
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    try {
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        return fail(Errc::invalid, "{}", error.what());
    }
    return flags.read(name);
}

struct Sample {
    std::string toml;
    std::vector<std::string> words;
};

TEST(Doors, TheSameWordsAreTheSameMapping) {
    const std::vector<Sample> samples{
        {"to = \"22\"", {"--to", "22"}},
        {"tcp = 2222\nto = \"nas.lan:22\"\nencrypt = false",
         {"--tcp", "2222", "--to", "nas.lan:22", "--no-encrypt"}},
        {"tcp = \"6000-6010\"\nto = \"6000-6010\"", {"--tcp", "6000-6010", "--to", "6000-6010"}},
        {"tcp = \"[::]:80\"\nto = \"unix:/run/x\"", {"--tcp", "[::]:80", "--to", "unix:/run/x"}},
        {"udp = 53\nto = \"53\"", {"--udp", "53", "--to", "53"}},
        {"unix = \"/run/web.sock\"\nto = \"80\"", {"--unix", "/run/web.sock", "--to", "80"}},
        {"to = \"80\"\nidle_timeout = \"5m\"\nlifetime = \"1h\"\nkeepalive = 0",
         {"--to", "80", "--idle-timeout", "5m", "--lifetime", "1h", "--keepalive", "0"}},
    };
    for (const auto& sample : samples) {
        const auto config = from_toml("name = \"web\"\n" + sample.toml);
        ASSERT_TRUE(config.mapping) << sample.toml << config.problems.at(0);
        const auto typed = from_flags(sample.words);
        ASSERT_TRUE(typed) << typed.error().message;
        EXPECT_EQ(*config.mapping, *typed) << sample.toml;
    }
}

TEST(Doors, EveryOptionOfTheTableIsAtEachDoor) {
    CLI::App app;
    MappingFlags flags;
    flags.add_to(app, "--to");
    auto document = config::Document::parse("[[mapping]]\nname = \"a\"\nto = \"1\"\n", "");
    auto root = document.root();
    for (auto& table : root.tables("mapping")) (void)read_mapping(table);
    const auto keys = document.known_keys();
    for (const auto& option : mapping_option_table()) {
        EXPECT_NE(app.get_option_no_throw(flag_of(option)), nullptr) << option.name;
        EXPECT_THAT(keys, testing::Contains(fmt::format("mapping.{}", option.name)));
    }
}

TEST(Doors, ATomlProblemNamesItsPlace) {
    const auto wrong =
        from_toml("name = \"web\"\nto = \"80\"\nlifetime = \"soon\"\nencrypt = 1\nkeepalive = 5.5\n");
    EXPECT_THAT(wrong.problems,
                ElementsAre(HasSubstr("c.toml:4:12: mapping.lifetime: \"soon\" is not a duration"),
                            HasSubstr("c.toml:5:11: mapping.encrypt: this is a whole number"),
                            HasSubstr("c.toml:6:13: mapping.keepalive: this is a number with")));
    EXPECT_THAT(from_toml("name = \"web\"\nto = \"80-81\"\ntcp = 80\n").problems,
                ElementsAre(HasSubstr("c.toml:3:6: mapping \"web\" has 1 public port and 2 of the service")));
    EXPECT_THAT(
        from_toml("name = \"web\"\nto = \"80\"\ntcp = 80\nunix = \"/run/x\"\n").problems,
        ElementsAre(HasSubstr("c.toml:5:8: mapping.unix: a mapping has one public endpoint, and tcp")));
}

TEST(Doors, AFlagsProblemBeginsWithTheFlag) {
    EXPECT_THAT(from_flags({"--to", "80", "--tcp", "x"}).error().message,
                HasSubstr("--tcp: \"x\" is not a port"));
    EXPECT_THAT(from_flags({"--to", "80", "--port", "x"}).error().message,
                HasSubstr("--tcp: \"x\" is not a port"));
    EXPECT_THAT(from_flags({"--to", "x"}).error().message, HasSubstr("--to: \"x\" is not a service"));
    EXPECT_THAT(from_flags({"--to", "80", "--idle-timeout", "1"}).error().message,
                HasSubstr("--idle-timeout: \"1\" is not a duration"));
    EXPECT_THAT(from_flags({"--to", "80", "--tcp", "1", "--unix", "/run/x"}).error().message,
                HasSubstr("--unix: a mapping has one public endpoint"));
    EXPECT_THAT(from_flags({"--tcp", "1"}).error().message, HasSubstr("--to is required"));
    EXPECT_FALSE(from_flags({"--to", "80", "--tcp", "1", "--tcp", "2"}));
}

TEST(Doors, ANameIsMadeWhereNoneIsGiven) {
    EXPECT_EQ(from_flags({"--to", "80"}, "")->name, "tcp-80");
    EXPECT_FALSE(from_flags({"--to", "80"}, "no good"));
}

}  // namespace
}  // namespace tunnel
