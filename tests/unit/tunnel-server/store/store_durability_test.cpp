// What was acknowledged is on the disk, whatever happens to the process or to the disk's free space.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include "tests/unit/tunnel-server/store/store_fixture.hpp"

namespace tunnel::server {
namespace {

using testing::HasSubstr;

std::uint64_t seed_of_this_run() {
    const char* given = std::getenv("TUNNEL_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Runs in the child: adds clients and mappings without end and writes one byte for each finished call.
[[noreturn]] void add_until_killed(const std::filesystem::path& file, std::uint32_t first, int acknowledge) {
    auto store = Store::open(file);
    if (!store) ::_exit(1);
    for (std::uint32_t i = first;; ++i) {
        const auto name = fmt::format("client{}", i);
        if (!store->add_client(client_named(name))) ::_exit(2);
        if (::write(acknowledge, "c", 1) != 1) ::_exit(3);
        if (!store->add_mapping(mapping_of(name, "ssh"))) ::_exit(4);
        if (::write(acknowledge, "m", 1) != 1) ::_exit(5);
    }
}

struct Acknowledged {
    std::uint32_t clients = 0;
    std::uint32_t mappings = 0;
};

// Starts a child, kills it once it has acknowledged `enough` calls and counts all that it acknowledged.
Acknowledged kill_after(const std::filesystem::path& file, std::uint32_t first, std::uint32_t enough) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        add_until_killed(file, first, ends[1]);
    }
    ::close(ends[1]);
    Acknowledged acknowledged;
    char call = 0;
    while (::read(ends[0], &call, 1) == 1) {
        ++(call == 'c' ? acknowledged.clients : acknowledged.mappings);
        if (acknowledged.clients + acknowledged.mappings == enough) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed on its own: " << status;
    return acknowledged;
}

TEST_F(StoreTest, EveryAcknowledgedRowSurvivesKill9) {
    const auto seed = seed_of_this_run();
    SCOPED_TRACE(fmt::format("TUNNEL_TEST_SEED={}", seed));
    std::mt19937_64 random(seed);
    std::uint32_t first = 0;
    std::vector<Acknowledged> rounds;
    std::vector<std::uint32_t> firsts;
    for (int round = 0; round < 8; ++round) {
        const auto enough = std::uniform_int_distribution<std::uint32_t>(1, 60)(random);
        firsts.push_back(first);
        rounds.push_back(kill_after(file, first, enough));
        ASSERT_GE(rounds.back().clients + rounds.back().mappings, enough);

        auto store = Store::open(file);
        ASSERT_TRUE(store) << store.error().message;
        auto all = store->load_all();
        ASSERT_TRUE(all) << all.error().message;
        const auto has_client = [&](const std::string& name) {
            return std::find(all->clients.begin(), all->clients.end(), client_named(name)) !=
                   all->clients.end();
        };
        const auto has_mapping = [&](const std::string& name) {
            return std::find(all->mappings.begin(), all->mappings.end(), mapping_of(name, "ssh")) !=
                   all->mappings.end();
        };
        for (std::size_t r = 0; r < rounds.size(); ++r) {
            for (std::uint32_t i = 0; i < rounds[r].clients; ++i)
                EXPECT_TRUE(has_client(fmt::format("client{}", firsts[r] + i)));
            for (std::uint32_t i = 0; i < rounds[r].mappings; ++i)
                EXPECT_TRUE(has_mapping(fmt::format("client{}", firsts[r] + i)));
        }
        // One call can have been on the disk already when its word was still on the way.
        first += rounds.back().clients + 2;
    }
}

// Runs in a child because the limit holds for the whole process. Returns what to exit with.
int fill_the_disk(const std::filesystem::path& file) {
    ::signal(SIGXFSZ, SIG_IGN);
    auto store = Store::open(file);
    if (!store) return 1;
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const auto unlimited = limit;
    limit.rlim_cur = 200 * 1024;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    std::size_t added = 0;
    Status last;
    while (last && added < 10'000) {
        last = store->add_client(client_named(fmt::format("client{}", added)));
        if (last) ++added;
    }
    if (last || last.error().code != Errc::io) return 3;
    if (last.error().message.find(file.string()) == std::string::npos) return 4;
    // The failed call left nothing, and what came before it is all there.
    auto all = store->load_all();
    if (!all || all->clients.size() != added) return 5;
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    if (!store->add_client(client_named("after"))) return 6;
    all = store->load_all();
    return all && all->clients.size() == added + 1 ? 0 : 7;
}

TEST_F(StoreTest, AFullDiskIsAValueAndTheStoreGoesOnWhenThereIsSpaceAgain) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(fill_the_disk(file));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the number says which expectation of fill_the_disk failed";
}

// Root ignores permissions, so the child becomes nobody when it can.
int open_read_only(const std::filesystem::path& file) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 1;
    auto store = Store::open(file);
    if (store || store.error().code != Errc::io) return 2;
    return store.error().message.find("Permission denied") == std::string::npos ? 3 : 0;
}

TEST_F(StoreTest, AFileThatMayNotBeWrittenIsAValue) {
    { auto store = must_open(); }
    namespace fs = std::filesystem;
    fs::permissions(folder, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    fs::permissions(file, fs::perms::owner_read | fs::perms::others_read);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(open_read_only(file));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the number says which expectation of open_read_only failed";
}

}  // namespace
}  // namespace tunnel::server
