#include "common/core/log.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "common/core/secret.hpp"

namespace tunnel {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

struct Lines {
    std::vector<std::string> lines;
    Log log(LogLevel level, LogFormat format) {
        return Log::to_function(level, format, [this](std::string_view line) { lines.emplace_back(line); });
    }
};

TEST(Log, TextLinesHaveTimeLevelEventAndFields) {
    Lines out;
    out.log(LogLevel::info, LogFormat::text).info("visitor closed", {{"mapping", "ssh"}, {"bytes_in", 123}});
    ASSERT_THAT(out.lines, SizeIs(1));
    EXPECT_THAT(out.lines[0],
                MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                             "info  visitor closed mapping=ssh bytes_in=123"));
}

TEST(Log, TheTimeGoesOn) {
    Lines out;
    const auto log = out.log(LogLevel::info, LogFormat::text);
    const auto second = [&] { return out.lines.back().substr(0, 19); };
    log.info("e");
    const auto first = second();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (second() == first && std::chrono::steady_clock::now() < deadline) log.info("e");
    EXPECT_GT(second(), first);
    EXPECT_TRUE(std::is_sorted(out.lines.begin(), out.lines.end()));
}

TEST(Log, TextQuotesWhatWouldBeReadAsMoreThanOneValue) {
    Lines out;
    const auto log = out.log(LogLevel::info, LogFormat::text);
    log.info("e", {{"a", ""}, {"b", "x y"}, {"c", "x=y"}, {"d", "say \"hi\""}, {"e", "back\\slash"}});
    EXPECT_THAT(out.lines.at(0), EndsWith(R"(e a="" b="x y" c="x=y" d="say \"hi\"" e="back\\slash")"));
}

TEST(Log, APeerCannotForgeLinesOrSendTerminalCommands) {
    Lines out;
    const auto log = out.log(LogLevel::info, LogFormat::text);
    log.info("e", {{"v", "x\ninfo session opened"}, {"w", "\x1b[2J"}, {"x", "\xff\xfe"}, {"y", "\x7f"}});
    const auto& line = out.lines.at(0);
    for (const char c : line) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20) << line;
    EXPECT_THAT(line, HasSubstr(R"(v="x\ninfo session opened")"));
    EXPECT_THAT(line, HasSubstr(R"(w="\u001b[2J")"));
    EXPECT_THAT(line, HasSubstr(R"(x="\ufffd\ufffd")"));
}

TEST(Log, BracesInValuesAreNotFormatted) {
    Lines out;
    out.log(LogLevel::info, LogFormat::text).info("e {}", {{"v", "{0}{}"}});
    EXPECT_THAT(out.lines.at(0), EndsWith("e {} v={0}{}"));
}

TEST(Log, JsonLinesCarryTheSameFieldsWithTheirTypes) {
    Lines out;
    out.log(LogLevel::debug, LogFormat::json)
        .warn("visitor \"closed\"", {{"mapping", "a\nb"},
                                     {"bytes", 18446744073709551615ULL},
                                     {"ok", true},
                                     {"rate", 1.5},
                                     {"letter", 'x'},
                                     {"raw", "\xff"}});
    const auto line = nlohmann::json::parse(out.lines.at(0));
    EXPECT_EQ(line["level"], "warn");
    EXPECT_EQ(line["event"], "visitor \"closed\"");
    EXPECT_EQ(line["mapping"], "a\nb");
    EXPECT_EQ(line["bytes"], 18446744073709551615ULL);
    EXPECT_EQ(line["ok"], true);
    EXPECT_EQ(line["rate"], 1.5);
    EXPECT_EQ(line["letter"], "x");
    EXPECT_EQ(line["raw"], "\xef\xbf\xbd");
    EXPECT_THAT(line["time"].get<std::string>(), EndsWith("Z"));
}

TEST(Log, JsonHasNoWordForInfinity) {
    Lines out;
    out.log(LogLevel::info, LogFormat::json)
        .info("e", {{"a", std::numeric_limits<double>::infinity()},
                    {"b", std::numeric_limits<double>::quiet_NaN()}});
    const auto line = nlohmann::json::parse(out.lines.at(0));
    EXPECT_EQ(line["a"], "inf");
    EXPECT_EQ(line["b"], "nan");
}

TEST(Log, ASecretPrintsAsStars) {
    Lines out;
    const Secret secret(view_of("hunter2"));
    out.log(LogLevel::info, LogFormat::text).info("e", {{"secret", secret}});
    EXPECT_THAT(out.lines.at(0), EndsWith("secret=***"));
}

TEST(Log, WritesOnlyWhatTheLevelLetsThrough) {
    const std::vector<LogLevel> levels{LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error};
    for (std::size_t i = 0; i < levels.size(); ++i) {
        Lines out;
        const auto log = out.log(levels[i], LogFormat::text);
        log.debug("d");
        log.info("i");
        log.warn("w");
        log.error("e");
        EXPECT_THAT(out.lines, SizeIs(4 - i));
    }
}

TEST(Log, AllCopiesFollowAReload) {
    Lines out;
    const auto log = out.log(LogLevel::error, LogFormat::text);
    const Log copy = log;
    copy.info("unseen");
    log.configure(LogLevel::debug, LogFormat::json);
    copy.debug("seen");
    ASSERT_THAT(out.lines, SizeIs(1));
    EXPECT_EQ(nlohmann::json::parse(out.lines[0])["event"], "seen");
}

TEST(Log, ManyThreadsWriteWholeLines) {
    Lines out;
    const auto log = out.log(LogLevel::info, LogFormat::json);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&log, t] {
            for (int i = 0; i < 200; ++i) log.info("e", {{"thread", t}, {"i", i}});
        });
    for (auto& thread : threads) thread.join();
    ASSERT_THAT(out.lines, SizeIs(800));
    for (const auto& line : out.lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST(Log, StandardErrorGetsTheLines) {
    testing::internal::CaptureStderr();
    Log::to_stderr(LogLevel::info, LogFormat::text).info("server ready", {{"port", 7000}});
    EXPECT_THAT(testing::internal::GetCapturedStderr(), EndsWith("server ready port=7000\n"));
}

TEST(Log, NoneSwallowsEverything) {
    testing::internal::CaptureStderr();
    const auto log = Log::none();
    log.error("e");
    log.configure(LogLevel::debug, LogFormat::text);
    log.error("e");
    EXPECT_THAT(testing::internal::GetCapturedStderr(), IsEmpty());
}

TEST(Log, LevelsAndFormatsHaveTheirNames) {
    EXPECT_EQ(parse_log_level("debug"), LogLevel::debug);
    EXPECT_EQ(parse_log_level("info"), LogLevel::info);
    EXPECT_EQ(parse_log_level("warn"), LogLevel::warn);
    EXPECT_EQ(parse_log_level("error"), LogLevel::error);
    EXPECT_EQ(parse_log_format("text"), LogFormat::text);
    EXPECT_EQ(parse_log_format("json"), LogFormat::json);
    EXPECT_THAT(parse_log_level("warning").error().message, HasSubstr("write debug, info, warn or error"));
    EXPECT_THAT(parse_log_level("INFO").error().message, HasSubstr("\"INFO\""));
    EXPECT_THAT(parse_log_format("xml").error().message, HasSubstr("write text or json"));
}

}  // namespace
}  // namespace tunnel
