#include "common/config/sections.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace tunnel::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Read {
    HeartbeatOptions heartbeat;
    LogOptions log;
    unsigned workers = 0;
    Millis drain = Seconds(30);
    std::vector<std::string> problems;
};

Read read(std::string_view text) {
    auto document = Document::parse(text, "f");
    Read out;
    Table root = document.root();
    read_heartbeat(root, out.heartbeat);
    read_log(root, out.log);
    read_workers(root, out.workers);
    read_duration(root, "drain", out.drain, Seconds(1), std::chrono::hours(1));
    for (const auto& problem : document.finish()) out.problems.push_back(to_string(problem));
    return out;
}

TEST(Sections, ReadTheirValues) {
    const auto out = read(
        "workers = 4\ndrain = \"1h\"\n[heartbeat]\ninterval = \"100ms\"\ntimeout = \"200ms\"\n"
        "[log]\nlevel = \"debug\"\nformat = \"json\"\n");
    EXPECT_THAT(out.problems, IsEmpty());
    EXPECT_EQ(out.heartbeat, (HeartbeatOptions{Millis(100), Millis(200)}));
    EXPECT_EQ(out.log, (LogOptions{LogLevel::debug, LogFormat::json}));
    EXPECT_EQ(out.workers, 4U);
    EXPECT_EQ(out.drain, std::chrono::hours(1));
}

TEST(Sections, OfAnEmptyFileAreTheDefaults) {
    const auto out = read("");
    EXPECT_THAT(out.problems, IsEmpty());
    EXPECT_EQ(out.heartbeat, HeartbeatOptions{});
    EXPECT_EQ(out.log, LogOptions{});
}

TEST(Sections, RefuseWhatIsOutOfRange) {
    EXPECT_THAT(read("workers = 1025\n").problems,
                ElementsAre(HasSubstr("f:1:11: workers: 1025 is out of range")));
    EXPECT_THAT(read("workers = -1\n").problems, ElementsAre(HasSubstr("write 0 to 1024")));
    EXPECT_THAT(read("drain = \"0s\"\n").problems,
                ElementsAre("f:1:9: drain: \"0s\" is out of range: write 1s to 1h"));
    EXPECT_THAT(read("drain = \"61m\"\n").problems, ElementsAre(HasSubstr("out of range")));
    EXPECT_THAT(read("[log]\nlevel = \"loud\"\nformat = \"xml\"\n").problems,
                ElementsAre(HasSubstr("f:2:9: log.level: "), HasSubstr("f:3:10: log.format: ")));
}

TEST(Heartbeat, IntervalHasItsBounds) {
    EXPECT_TRUE(check_heartbeat({Millis(100), Seconds(1)}));
    EXPECT_THAT(check_heartbeat({Millis(99), Seconds(1)}).error().message, HasSubstr("write 100ms to 10m"));
    EXPECT_TRUE(check_heartbeat({std::chrono::minutes(10), std::chrono::hours(1)}));
    EXPECT_FALSE(check_heartbeat({Millis(600'001), std::chrono::hours(1)}));
    EXPECT_THAT(read("[heartbeat]\ninterval = \"10ms\"\n").problems,
                ElementsAre(HasSubstr("f:2:12: the heartbeat's interval of 10ms is out of range")));
}

TEST(Heartbeat, TimeoutIsAtLeastTwoIntervals) {
    EXPECT_TRUE(check_heartbeat({Seconds(10), Seconds(20)}));
    EXPECT_THAT(check_heartbeat({Seconds(10), Millis(19'999)}).error().message,
                HasSubstr("at least twice the interval, 20s"));
    EXPECT_THAT(check_heartbeat({Seconds(10), Millis(3'600'001)}).error().message, HasSubstr("at most 1h"));
    EXPECT_THAT(read("[heartbeat]\ninterval = \"10s\"\ntimeout = \"15s\"\n").problems,
                ElementsAre(HasSubstr("f:3:11: ")));
    EXPECT_THAT(read("[heartbeat]\ninterval = \"20s\"\n").problems, ElementsAre(HasSubstr("f:2:12: ")))
        << "the default timeout is too short for this interval";
}

TEST(Heartbeat, EnormousValuesDoNotOverflow) {
    const auto huge = Millis(std::numeric_limits<std::int64_t>::max());
    EXPECT_FALSE(check_heartbeat({huge, huge}));
    EXPECT_FALSE(check_heartbeat({Seconds(10), huge}));
}

TEST(Heartbeat, OneBadValueIsReportedOnce) {
    EXPECT_THAT(read("[heartbeat]\ninterval = \"x\"\ntimeout = \"30s\"\n").problems,
                ElementsAre(HasSubstr("f:2:12: heartbeat.interval: ")));
}

}  // namespace
}  // namespace tunnel::config
