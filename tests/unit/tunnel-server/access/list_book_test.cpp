#include "tunnel-server/access/list_book.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tunnel::server {
namespace {

using ::testing::HasSubstr;

class ListBookTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = ::testing::TempDir() + "tunnel-lists-XXXXXX";
        ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        const auto path = folder_ + "/" + name;
        // As editors do: a new file in the place of the old one.
        std::ofstream(path + ".new") << text;
        std::filesystem::rename(path + ".new", path);
        return path;
    }
    bool holds(const std::string& list, const char* address) const {
        const auto set = book_.find(list);
        return set && set->longest_match(*parse_ip(address)).has_value();
    }
    // Two looks, and what is to be read then, read. True when a list is a new one.
    bool look_and_take() {
        EXPECT_TRUE(book_.look().empty()) << "a file that has just changed may be half written";
        bool any = false;
        for (const auto& changed : book_.look())
            any = book_.take(changed, read_list(changed.file.path)) || any;
        return any;
    }

    std::string folder_;
    std::vector<std::string> lines_;
    ListBook book_{Log::to_function(LogLevel::debug, LogFormat::text,
                                    [this](std::string_view line) { lines_.emplace_back(line); })};
};

TEST_F(ListBookTest, ReadsFilesAndTellsNames) {
    ASSERT_EQ(book_.set_files({{"office", write("a", "10.0.0.0/8\n")}, {"bad", write("b", "::1\n")}}), true);
    EXPECT_TRUE(holds("office", "10.1.2.3"));
    EXPECT_FALSE(holds("office", "11.1.2.3"));
    EXPECT_EQ(book_.find("other"), nullptr);
    EXPECT_EQ(book_.names(), "bad, office");
    EXPECT_EQ(book_.set_files({{"office", folder_ + "/a"}, {"bad", folder_ + "/b"}}), false);
    EXPECT_EQ(book_.set_files({{"office", folder_ + "/a"}}), true);
    EXPECT_EQ(book_.find("bad"), nullptr);
}

TEST_F(ListBookTest, AFileThatIsMissingOrBadChangesNothing) {
    ASSERT_TRUE(book_.set_files({{"office", write("a", "10.0.0.0/8\n")}}));
    const auto missing = book_.set_files({{"office", folder_ + "/none"}});
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, HasSubstr(folder_ + "/none"));
    const auto bad = book_.set_files({{"other", write("c", "10.0.0.0/8\nnonsense\n")}});
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().message, HasSubstr("/c, line 2: \"nonsense\""));
    EXPECT_TRUE(holds("office", "10.1.2.3"));
}

TEST_F(ListBookTest, AChangedFileIsTakenOnceItHasSettled) {
    ASSERT_TRUE(book_.set_files({{"office", write("a", "10.0.0.0/8\n")}}));
    EXPECT_TRUE(book_.look().empty());
    EXPECT_TRUE(book_.look().empty());
    write("a", "192.0.2.0/24\n");
    EXPECT_TRUE(look_and_take());
    EXPECT_FALSE(holds("office", "10.1.2.3"));
    EXPECT_TRUE(holds("office", "192.0.2.3"));
    EXPECT_TRUE(book_.look().empty());
    EXPECT_THAT(lines_.back(), HasSubstr("entries=1"));
}

TEST_F(ListBookTest, ABadFileKeepsTheListAndSaysSoOnce) {
    ASSERT_TRUE(book_.set_files({{"office", write("a", "10.0.0.0/8\n")}}));
    write("a", "10.0.0.0/8\n10.0.0.0/99\n");
    EXPECT_FALSE(look_and_take());
    EXPECT_TRUE(holds("office", "10.1.2.3"));
    ASSERT_EQ(lines_.size(), 1U);
    EXPECT_THAT(lines_.back(), HasSubstr("line 2"));
    EXPECT_TRUE(book_.look().empty());
    std::filesystem::remove(folder_ + "/a");
    EXPECT_FALSE(look_and_take());
    EXPECT_TRUE(holds("office", "10.1.2.3"));
    EXPECT_EQ(lines_.size(), 2U);
    write("a", "192.0.2.0/24\n");
    EXPECT_TRUE(look_and_take());
    EXPECT_TRUE(holds("office", "192.0.2.3"));
}

TEST_F(ListBookTest, AListIsReadOnceAtATime) {
    ASSERT_TRUE(book_.set_files({{"office", write("a", "10.0.0.0/8\n")}}));
    write("a", "192.0.2.0/24\n");
    book_.look();
    const auto changed = book_.look();
    ASSERT_EQ(changed.size(), 1U);
    EXPECT_TRUE(book_.look().empty());
    // A reload took the list away meanwhile.
    ASSERT_TRUE(book_.set_files({}));
    EXPECT_FALSE(book_.take(changed.front(), read_list(changed.front().file.path)));
    EXPECT_EQ(book_.find("office"), nullptr);
}

}  // namespace
}  // namespace tunnel::server
