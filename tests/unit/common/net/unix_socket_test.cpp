#include "common/net/unix_socket.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/common/net/test_loop.hpp"

namespace tunnel::net {
namespace {

using test::TestLoop;
using testing::HasSubstr;

class UnixSocketTest : public testing::Test {
  protected:
    UnixSocketTest() {
        std::string name = (std::filesystem::temp_directory_path() / "tunnel-unix-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        folder_ = name;
        path_ = folder_ / "web.sock";
    }
    ~UnixSocketTest() override { std::filesystem::remove_all(folder_); }

    std::unique_ptr<UnixListener> must_open() {
        auto made = UnixListener::open(path_.string());
        if (!made) throw std::runtime_error(made.error().message);
        return std::move(*made);
    }
    Result<UniqueFd> dial(Clock::duration limit = Seconds(5)) {
        return loop_.get(dial_unix(path_.string(), limit));
    }
    // A socket that somebody else bound there.
    UniqueFd bound(int listen_backlog = -1) {
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        if (listen_backlog >= 0) {
            EXPECT_EQ(::listen(fd.get(), listen_backlog), 0);
        }
        return fd;
    }
    bool exists() const { return std::filesystem::exists(std::filesystem::symlink_status(path_)); }

    TestLoop loop_;
    std::filesystem::path folder_;
    std::filesystem::path path_;
};

TEST_F(UnixSocketTest, IsForItsGroupWhateverTheUmaskAndGoesWithItsOwner) {
    for (const mode_t mask : {0U, 022U, 0177U}) {
        const auto before = ::umask(mask);
        auto listener = must_open();
        ::umask(before);
        struct stat info {};
        ASSERT_EQ(::stat(path_.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777, 0660U);
        EXPECT_TRUE(S_ISSOCK(info.st_mode));
        EXPECT_TRUE(dial());
        listener.reset();
        EXPECT_FALSE(exists());
    }
}

TEST_F(UnixSocketTest, AStaleSocketIsReplaced) {
    bound(1).reset();  // as a killed process leaves it
    ASSERT_TRUE(exists());
    const auto listener = must_open();
    EXPECT_TRUE(dial());
}

TEST_F(UnixSocketTest, ASocketInUseIsLeftAlone) {
    const auto theirs = bound(1);
    const auto refused = UnixListener::open(path_.string());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr(path_.string() + " is in use by another program"));
    EXPECT_TRUE(dial());
    EXPECT_FALSE(UnixListener::open(path_.string()));
    EXPECT_TRUE(exists());
}

TEST_F(UnixSocketTest, WhatIsNoSocketIsNeverReplaced) {
    const auto target = folder_ / "precious";
    std::ofstream(target) << "data";
    const auto expect_refused = [&](std::string_view what) {
        const auto refused = UnixListener::open(path_.string());
        ASSERT_FALSE(refused) << what;
        EXPECT_EQ(refused.error().code, Errc::conflict) << what;
        EXPECT_THAT(refused.error().message, HasSubstr("is no socket")) << what;
        EXPECT_TRUE(exists()) << what;
    };
    std::filesystem::copy(target, path_);
    expect_refused("a file");
    std::filesystem::remove(path_);
    std::filesystem::create_directory(path_);
    expect_refused("a folder");
    std::filesystem::remove(path_);
    std::filesystem::create_symlink(target, path_);
    expect_refused("a link to a file");
    std::filesystem::remove(path_);
    std::filesystem::create_symlink(folder_ / "nowhere", path_);
    expect_refused("a link to nothing");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "nowhere"));
    struct stat info {};
    ASSERT_EQ(::stat(target.c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 4);
}

TEST_F(UnixSocketTest, WhatSomebodyPutInItsPlaceIsLeftAtTheEnd) {
    auto listener = must_open();
    std::filesystem::remove(path_);
    std::ofstream(path_) << "theirs";
    listener.reset();
    EXPECT_TRUE(exists());
}

TEST_F(UnixSocketTest, AMissingFolderIsNamed) {
    path_ = folder_ / "nowhere" / "web.sock";
    const auto refused = UnixListener::open(path_.string());
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("there is no folder " + (folder_ / "nowhere").string()));
    path_ = folder_ / std::string(120, 'x');
    EXPECT_EQ(UnixListener::open(path_.string()).error().code, Errc::invalid);
}

TEST_F(UnixSocketTest, DialTellsWhyThereIsNoService) {
    EXPECT_THAT(dial().error().message, HasSubstr("No such file"));
    const auto silent = bound();
    EXPECT_THAT(dial().error().message, HasSubstr("Connection refused"));
}

TEST_F(UnixSocketTest, AFullBacklogIsWaitedFor) {
    const auto service = bound(0);
    std::vector<UniqueFd> queued;
    for (;;) {
        auto fd = dial(Millis(1));
        if (!fd) {
            EXPECT_EQ(fd.error().code, Errc::timeout);
            break;
        }
        queued.push_back(std::move(*fd));
        ASSERT_LT(queued.size(), 100u);
    }
    asio::steady_timer later(loop_.context(), Millis(100));
    UniqueFd accepted;
    later.async_wait([&](const std::error_code&) {
        accepted = UniqueFd(::accept4(service.get(), nullptr, nullptr, SOCK_CLOEXEC));
    });
    EXPECT_TRUE(dial(Seconds(20)));
    EXPECT_TRUE(accepted);
}

TEST_F(UnixSocketTest, VisitorsAreAcceptedUntilItIsClosed) {
    auto listener = must_open();
    int accepted = 0;
    loop_.spawn(accept_loop(listener->socket(), Accepts::visitors, Log::none(), [&](Accepted one) {
        EXPECT_EQ(one.peer, tcp::endpoint());
        EXPECT_EQ(unix_peer_to_text(one.fd.get()), fmt::format("unix:pid={},uid={}", ::getpid(), ::getuid()));
        ++accepted;
    }));
    loop_.settle();
    std::vector<UniqueFd> visitors;
    for (int i = 0; i < 20; ++i) {
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        // A visitor that bound itself to a long path: more than an IP address's room.
        sockaddr_un own{};
        own.sun_family = AF_UNIX;
        const auto name = (folder_ / ("visitor-with-a-rather-long-name-" + std::to_string(i))).string();
        name.copy(own.sun_path, sizeof own.sun_path - 1);
        ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        visitors.push_back(std::move(fd));
    }
    EXPECT_TRUE(loop_.run_until([&] { return accepted == 20; }));
    listener.reset();
    loop_.run();  // the accept loop has ended
}

}  // namespace
}  // namespace tunnel::net
