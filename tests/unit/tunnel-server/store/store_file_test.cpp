// The file itself: who may read it, who may open it, and which files are refused without touching them.

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "common/wire/mapping_spec.hpp"
#include "tests/unit/tunnel-server/store/store_fixture.hpp"
#include "tunnel-server/store/schema.hpp"

namespace tunnel::server {
namespace {

using testing::HasSubstr;

std::string content_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

void write_file(const std::filesystem::path& path, std::string_view content) {
    std::ofstream(path, std::ios::binary) << content;
}

// The way other programs change the file.
void run_sql(const std::filesystem::path& path, const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    char* words = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &words), SQLITE_OK) << words;
    sqlite3_close(handle);
}

TEST_F(StoreTest, EveryFileItMakesIsForItsOwnerOnly) {
    const auto before = ::umask(0);
    {
        auto store = must_open();
        ASSERT_TRUE(store.add_client(client_named("home")));
        int seen = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            struct stat info {};
            ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
            EXPECT_EQ(info.st_mode & 07777, 0600u) << entry.path();
            ++seen;
        }
        EXPECT_EQ(seen, 4) << "server.db, -wal, -shm and .lock";
    }
    ::umask(before);
}

TEST_F(StoreTest, AMissingFolderIsNamed) {
    auto store = Store::open(folder / "nowhere" / "server.db");
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::io);
    EXPECT_THAT(store.error().message, HasSubstr("there is no folder " + (folder / "nowhere").string()));
}

TEST_F(StoreTest, AFolderInPlaceOfTheFileIsAnError) {
    std::filesystem::create_directory(file);
    auto store = Store::open(file);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::io);
    EXPECT_THAT(store.error().message, HasSubstr(file.string()));
}

TEST_F(StoreTest, AnEmptyFileBecomesAStore) {
    write_file(file, "");
    auto store = must_open();
    EXPECT_TRUE(store.add_client(client_named("home")));
}

TEST_F(StoreTest, AFileFromANewerServerIsRefusedAndLeftAlone) {
    { auto store = must_open(); }
    const auto known = store_migrations().size();
    run_sql(file, "PRAGMA user_version = 99");
    const auto before = content_of(file);
    auto store = Store::open(file);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::version);
    EXPECT_EQ(store.error().message,
              fmt::format("{} was written by a newer tunnel-server (schema 99, this one knows {}): upgrade "
                          "tunnel-server",
                          file.string(), known));
    EXPECT_EQ(content_of(file), before);
}

TEST_F(StoreTest, WhatIsNoDatabaseIsRefusedAndLeftAlone) {
    for (const std::string& garbage : {std::string("short"), std::string(100'000, 'x')}) {
        write_file(file, garbage);
        auto store = Store::open(file);
        ASSERT_FALSE(store);
        EXPECT_EQ(store.error().code, Errc::invalid);
        EXPECT_THAT(store.error().message, HasSubstr(file.string() + " is not a store of tunnel-server"));
        EXPECT_EQ(content_of(file), garbage);
    }
}

TEST_F(StoreTest, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
    run_sql(file, "CREATE TABLE bookmarks (url TEXT)");
    const auto before = content_of(file);
    auto store = Store::open(file);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::invalid);
    EXPECT_THAT(store.error().message, HasSubstr("another program's SQLite database"));
    EXPECT_EQ(content_of(file), before);
}

TEST_F(StoreTest, ADamagedFileIsReported) {
    {
        auto store = must_open();
        for (int i = 0; i < 200; ++i) ASSERT_TRUE(store.add_client(client_named(fmt::format("client{}", i))));
    }
    auto content = content_of(file);
    ASSERT_GT(content.size(), 8192u);
    for (std::size_t i = 4096; i < content.size(); ++i) content[i] = 'x';  // all pages but the first
    write_file(file, content);
    auto store = Store::open(file);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::io);
    EXPECT_THAT(store.error().message, HasSubstr("restore it from a backup"));
}

TEST_F(StoreTest, ASecondOpenerIsRefusedUntilTheFirstIsGone) {
    {
        auto first = must_open();
        auto moved = std::move(first);  // the lock moves with the store
        auto second = Store::open(file);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::conflict);
        EXPECT_EQ(second.error().message, "another tunnel-server already uses " + file.string());
        EXPECT_TRUE(moved.add_client(client_named("home")));
    }
    EXPECT_TRUE(Store::open(file));
}

TEST_F(StoreTest, AnotherProcessIsRefusedToo) {
    auto first = must_open();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto second = Store::open(file);
        ::_exit(!second && second.error().code == Errc::conflict ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(StoreTest, AFileOfTheFirstLayoutKeepsItsMappingsAndTakesNewOnes) {
    write_file(file, "");
    {
        auto database = sqlite::Database::open(file);
        ASSERT_TRUE(database);
        ASSERT_TRUE(migrate(*database, store_migrations().first(1)));
        ASSERT_TRUE(database->execute(
            "INSERT INTO clients VALUES ('home', zeroblob(32), 1700000000, NULL);"
            "INSERT INTO mappings VALUES ('home', 'ssh', 2222, '127.0.0.1:22', 1, 1700000001);"
            "INSERT INTO mappings VALUES ('home', 'web', 0, 'nas.lan:80', 0, 1700000001);"));
    }
    const auto web =
        StoredMapping{"home", {"web", {}, *parse_service("nas.lan:80"), false}, at(1'700'000'001)};
    auto games = mapping_of("home", "games");
    games.options.endpoint = *parse_public_ports(Protocol::tcp, "192.0.2.1:6000-6010");
    games.options.service = *parse_service("7000-7010");
    games.options.keepalive = Seconds(0);
    {
        auto store = must_open();
        EXPECT_THAT(store.load_all()->mappings, testing::ElementsAre(mapping_of("home", "ssh"), web));
        ASSERT_TRUE(store.add_mapping(games));
    }
    auto store = must_open();
    EXPECT_THAT(store.load_all()->mappings, testing::ElementsAre(games, mapping_of("home", "ssh"), web));
}

TEST_F(StoreTest, AMappingWithAnOptionOfAnotherReleaseIsKeptAndItsProblemTold) {
    {
        auto store = must_open();
        ASSERT_TRUE(store.add_client(client_named("home")));
        ASSERT_TRUE(store.add_mapping(mapping_of("home", "ssh")));
    }
    wire::MappingSpec spec{"ssh", 2222, "127.0.0.1:22", true, 0, {{"tea_time", "5pm"}}};
    std::string hex;
    for (const auto byte : wire::encode(spec)) hex += fmt::format("{:02x}", byte);
    run_sql(file, fmt::format("UPDATE mappings SET spec = x'{}'", hex));
    {
        auto store = must_open();
        const auto all = store.load_all();
        ASSERT_EQ(all->mappings.size(), 1u);
        EXPECT_EQ(all->mappings[0].options.name, "ssh");
        EXPECT_THAT(all->mappings[0].problem,
                    HasSubstr("the option tea_time of the mapping \"ssh\" is unknown"));
        EXPECT_TRUE(store.remove_mapping("home", "ssh"));
    }
    EXPECT_TRUE(must_open().load_all()->mappings.empty());
}

TEST_F(StoreTest, AMigrationThatFailsLeavesTheStepBefore) {
    write_file(file, "");
    auto database = sqlite::Database::open(file);
    ASSERT_TRUE(database);
    const std::vector<std::string_view> broken{"CREATE TABLE one (a)",
                                               "CREATE TABLE two (a); INSERT INTO nowhere VALUES (1)"};
    auto migrated = migrate(*database, broken);
    ASSERT_FALSE(migrated);
    EXPECT_THAT(migrated.error().message, HasSubstr("no such table: nowhere"));
    EXPECT_EQ(database->query_integer("PRAGMA user_version").value(), 1);
    EXPECT_EQ(database->query_integer("SELECT count(*) FROM sqlite_schema WHERE name = 'two'").value(), 0);

    const std::vector<std::string_view> repaired{"never run again", "CREATE TABLE two (a)"};
    ASSERT_TRUE(check_schema(*database, repaired));
    auto again = migrate(*database, repaired);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(database->query_integer("PRAGMA user_version").value(), 2);
    EXPECT_EQ(database->query_integer("SELECT count(*) FROM sqlite_schema").value(), 2);
}

}  // namespace
}  // namespace tunnel::server
