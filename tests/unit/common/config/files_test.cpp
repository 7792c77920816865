#include "common/config/files.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

namespace tunnel::config {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Files : public testing::Test {
  protected:
    Files() {
        std::string pattern = (fs::temp_directory_path() / "tunnel-files-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        folder = pattern;
    }
    ~Files() override { fs::remove_all(folder); }
    std::string path(std::string_view name) const { return (folder / name).string(); }
    std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }
    fs::path folder;
};

mode_t mode_of(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777;
}

TEST_F(Files, WriteThenReadGivesTheSameBytes) {
    std::string contents = "a\nb\0c";
    contents.append(100'000, 'x');
    ASSERT_TRUE(write_private_file(path("f"), contents, Overwrite::no));
    EXPECT_EQ(read_file(path("f")), contents);
    ASSERT_TRUE(write_private_file(path("empty"), "", Overwrite::no));
    EXPECT_EQ(read_file(path("empty")), "");
}

TEST_F(Files, ModeIsExactWhateverTheUmask) {
    const auto before = ::umask(0077);
    ASSERT_TRUE(write_private_file(path("wide"), "x", Overwrite::no, 0644));
    ::umask(0);
    ASSERT_TRUE(write_private_file(path("narrow"), "x", Overwrite::no));
    ::umask(before);
    EXPECT_EQ(mode_of(path("wide")), 0644U);
    EXPECT_EQ(mode_of(path("narrow")), 0600U);
    EXPECT_TRUE(readable_by_others(path("wide")));
    EXPECT_FALSE(readable_by_others(path("narrow")));
    EXPECT_FALSE(readable_by_others(path("missing")));
}

TEST_F(Files, NoOverwriteLeavesTheOldFileAndNothingElse) {
    ASSERT_TRUE(write_private_file(path("f"), "old", Overwrite::no));
    const auto again = write_private_file(path("f"), "new", Overwrite::no);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::exists);
    EXPECT_THAT(again.error().message, HasSubstr(path("f")));
    EXPECT_EQ(read_file(path("f")), "old");
    EXPECT_EQ(entries(), 1U) << "a temporary file is left behind";
}

TEST_F(Files, NoOverwriteTakesADanglingLinkForAFile) {
    fs::create_symlink(path("elsewhere"), path("f"));
    EXPECT_FALSE(write_private_file(path("f"), "new", Overwrite::no));
    EXPECT_FALSE(fs::exists(path("elsewhere")));
}

TEST_F(Files, OverwriteReplacesContentsModeAndLinks) {
    ASSERT_TRUE(write_private_file(path("target"), "target", Overwrite::no, 0644));
    fs::create_symlink(path("target"), path("f"));
    ASSERT_TRUE(write_private_file(path("f"), "new", Overwrite::yes));
    EXPECT_EQ(read_file(path("f")), "new");
    EXPECT_EQ(mode_of(path("f")), 0600U);
    EXPECT_EQ(read_file(path("target")), "target") << "a secret must not go where a link points";
    EXPECT_EQ(entries(), 2U);
}

TEST_F(Files, OneOfManyWritersWinsWithoutOverwrite) {
    std::array<bool, 8> won{};
    std::vector<std::thread> writers;
    for (std::size_t i = 0; i < won.size(); ++i)
        writers.emplace_back([&, i] {
            won[i] =
                write_private_file(path("f"), std::string(10'000, static_cast<char>('a' + i)), Overwrite::no)
                    .has_value();
        });
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(std::count(won.begin(), won.end(), true), 1);
    const auto winner = static_cast<char>('a' + (std::find(won.begin(), won.end(), true) - won.begin()));
    EXPECT_EQ(read_file(path("f")), std::string(10'000, winner));
    EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, AFolderThatIsNotThereIsNamed) {
    const auto written = write_private_file(path("no/f"), "x", Overwrite::yes);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().sys_errno, ENOENT);
    EXPECT_THAT(written.error().message, HasSubstr(path("no")));
}

TEST_F(Files, OverwritingAFolderFailsAndLeavesNothing) {
    fs::create_directory(path("d"));
    EXPECT_FALSE(write_private_file(path("d"), "x", Overwrite::yes));
    EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, ReadingTellsWhyItFailed) {
    const auto missing = read_file(path("missing"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Errc::not_found);
    EXPECT_THAT(missing.error().message, HasSubstr(path("missing")));
    EXPECT_EQ(read_file(folder.string()).error().sys_errno, EISDIR);
    EXPECT_EQ(read_file(path("missing") + "/below").error().code, Errc::not_found);
}

TEST_F(Files, ReadingStopsAtTheLimit) {
    ASSERT_TRUE(write_private_file(path("f"), std::string(1001, 'x'), Overwrite::no));
    EXPECT_TRUE(read_file(path("f"), 1001));
    const auto large = read_file(path("f"), 1000);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, Errc::limit);
    EXPECT_THAT(large.error().message, HasSubstr("at most 1000 bytes"));
    EXPECT_FALSE(read_file("/dev/zero", 1000)) << "a file without end";
}

TEST_F(Files, AFifoWithoutWriterDoesNotHang) {
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(path("fifo")), "");
}

TEST_F(Files, PrivateFoldersAreMadeWithTheirParents) {
    const auto before = ::umask(0);
    ASSERT_TRUE(make_private_folder(path("a/b/c/")));
    ::umask(before);
    EXPECT_EQ(mode_of(path("a")), 0700U);
    EXPECT_EQ(mode_of(path("a/b/c")), 0700U);
    fs::permissions(path("a"), fs::perms(0755));
    ASSERT_TRUE(make_private_folder(path("a")));
    EXPECT_EQ(mode_of(path("a")), 0755U) << "a folder that was there keeps its mode";
}

TEST_F(Files, AFileInTheWayOfAFolderIsNamed) {
    ASSERT_TRUE(write_private_file(path("f"), "", Overwrite::no));
    EXPECT_THAT(make_private_folder(path("f")).error().message, HasSubstr(path("f")));
    EXPECT_THAT(make_private_folder(path("f/g")).error().message, HasSubstr("Not a directory"));
}

}  // namespace
}  // namespace tunnel::config
