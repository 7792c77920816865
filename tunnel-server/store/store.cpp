#include "tunnel-server/store/store.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "common/mapping/spec.hpp"
#include "common/net/unique_fd.hpp"
#include "tunnel-server/store/file_lock.hpp"
#include "tunnel-server/store/schema.hpp"
#include "tunnel-server/store/sqlite.hpp"

namespace tunnel::server {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

std::int64_t unix_seconds(WallTime time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

WallTime from_unix_seconds(std::int64_t seconds) {
    // What a damaged row could hold, kept within what WallTime can.
    constexpr std::int64_t furthest = std::chrono::duration_cast<Seconds>(WallTime::duration::max()).count();
    return WallTime(Seconds(std::clamp<std::int64_t>(seconds, -furthest, furthest)));
}

// Makes the file before SQLite does, which would make it readable to everybody the umask lets in. SQLite
// gives its -wal and -shm files the same mode.
Status make_private_file(const std::filesystem::path& path) {
    const net::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return fail_errno(errno, fmt::format("cannot open the store {}", path.string()));
    return {};
}

Status set_up(Database& database) {
    auto mode = database.query_text("PRAGMA journal_mode = WAL");
    if (!mode) return pass(std::move(mode.error()));
    if (*mode != "wal")
        return fail(Errc::io,
                    "store {}: its file system does not take a write-ahead log: put it on a local one",
                    database.file());
    if (auto done = database.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"); !done)
        return done;
    auto health = database.query_text("PRAGMA quick_check(1)");
    if (!health) return pass(std::move(health.error()));
    if (*health != "ok")
        return fail(Errc::io, "store {} is damaged ({}): restore it from a backup", database.file(), *health);
    return {};
}

Error no_client(std::string_view name) {
    return Error{
        Errc::not_found,
        fmt::format("there is no client \"{}\": \"tunnelctl client list\" shows those there are", name), 0};
}

tl::unexpected<Error> damaged(const Database& database, std::string_view what) {
    return fail(Errc::io, "store {} is damaged ({}): restore it from a backup", database.file(), what);
}

// Calls read_row for each row of `sql`.
template <class ReadRow>
Status for_each_row(Database& database, std::string_view sql, ReadRow read_row) {
    auto statement = database.prepare(sql);
    if (!statement) return pass(std::move(statement.error()));
    auto row = statement->step();
    for (; row && *row; row = statement->step()) {
        if (Status read = read_row(*statement); !read) return read;
    }
    if (!row) return pass(std::move(row.error()));
    return {};
}

Status read_clients(Database& database, StoreSnapshot& snapshot) {
    return for_each_row(database,
                        "SELECT name, stored_key, created_at, expires_at FROM clients ORDER BY name",
                        [&](const Statement& row) -> Status {
                            StoredClient client;
                            client.name = row.text(0);
                            const auto key = row.blob(1);
                            if (key.size() != client.stored_key.size())
                                return damaged(database, fmt::format("key of client {}", client.name));
                            std::copy(key.begin(), key.end(), client.stored_key.begin());
                            client.created_at = from_unix_seconds(row.integer(2));
                            if (!row.is_null(3)) client.expires_at = from_unix_seconds(row.integer(3));
                            snapshot.clients.push_back(std::move(client));
                            return {};
                        });
}

StoredClient* client_of(StoreSnapshot& snapshot, const std::string& name) {
    const auto found = std::find_if(snapshot.clients.begin(), snapshot.clients.end(),
                                    [&](const StoredClient& client) { return client.name == name; });
    return found == snapshot.clients.end() ? nullptr : &*found;
}

Status read_settings(Database& database, StoreSnapshot& snapshot) {
    std::map<std::string, std::vector<SettingText>> texts;
    auto read = for_each_row(
        database, "SELECT client, setting, value FROM client_settings ORDER BY client, setting, place",
        [&](const Statement& row) -> Status {
            auto& of_client = texts[row.text(0)];
            if (of_client.empty() || of_client.back().name != row.text(1))
                of_client.push_back({row.text(1), {}});
            of_client.back().values.push_back(row.text(2));
            return {};
        });
    if (!read) return read;
    for (const auto& [name, settings] : texts) {
        auto* const client = client_of(snapshot, name);
        const auto known = client != nullptr ? change_settings(client->settings, settings)
                                             : Status(damaged(database, "settings of no client"));
        if (!known)
            return damaged(database, fmt::format("settings of client {}: {}", name, known.error().message));
    }
    return {};
}

Status read_traffic(Database& database, StoreSnapshot& snapshot) {
    return for_each_row(
        database, "SELECT client, month, bytes, warned FROM traffic", [&](const Statement& row) -> Status {
            if (auto* const client = client_of(snapshot, row.text(0)); client != nullptr)
                client->use = {static_cast<Month>(row.integer(1)), static_cast<std::uint64_t>(row.integer(2)),
                               row.integer(3) != 0};
            return {};
        });
}

// Rows that the first layout wrote have no spec.
Result<wire::MappingSpec> spec_of(const Statement& row) {
    if (!row.is_null(5)) return wire::decode_mapping_spec(row.blob(5));
    return wire::MappingSpec{row.text(1), static_cast<Port>(row.integer(2)), row.text(3),
                             row.integer(4) != 0};
}

Status read_mappings(Database& database, StoreSnapshot& snapshot) {
    return for_each_row(
        database,
        "SELECT client, name, tcp, service, encrypt, spec, created_at FROM mappings ORDER BY client, name",
        [&](const Statement& row) -> Status {
            const auto name = row.text(1);
            const auto tcp = row.integer(2);
            if (tcp < 0 || tcp > 65535) return damaged(database, fmt::format("port of mapping {}", name));
            const auto spec = spec_of(row);
            if (!spec || spec->name != name) return damaged(database, fmt::format("mapping {}", name));
            StoredMapping mapping;
            mapping.client = row.text(0);
            mapping.created_at = from_unix_seconds(row.integer(6));
            auto options = from_spec(*spec);
            if (options)
                mapping.options = std::move(*options);
            else
                mapping.problem = options.error().message;
            mapping.options.name = name;
            snapshot.mappings.push_back(std::move(mapping));
            return {};
        });
}

Status read_pauses(Database& database, StoreSnapshot& snapshot) {
    return for_each_row(database, "SELECT client, mapping FROM pauses ORDER BY client, mapping",
                        [&](const Statement& row) -> Status {
                            snapshot.paused.push_back({row.text(0), row.text(1)});
                            return {};
                        });
}

Status read_drained(Database& database, StoreSnapshot& snapshot) {
    return for_each_row(
        database, "SELECT client, mapping, service FROM drained_members ORDER BY client, mapping, service",
        [&](const Statement& row) -> Status {
            snapshot.drained.push_back({row.text(0), row.text(1), row.text(2)});
            return {};
        });
}

Status read_assigned_ports(Database& database, StoreSnapshot& snapshot) {
    return for_each_row(
        database, "SELECT client, mapping, port FROM assigned_ports ORDER BY client, mapping",
        [&](const Statement& row) -> Status {
            const auto port = row.integer(2);
            if (port < 1 || port > 65535)
                return damaged(database, fmt::format("assigned port of mapping {}", row.text(1)));
            snapshot.assigned_ports.push_back({row.text(0), row.text(1), static_cast<Port>(port)});
            return {};
        });
}

}  // namespace

struct Store::Impl {
    FileLock lock;  // goes after the database
    Database database;

    // Runs `sql` with what `bind` binds and returns how many rows it touched. Only within a transaction.
    template <class Bind>
    Result<int> change(std::string_view sql, Bind bind) {
        auto statement = database.prepare(sql);
        if (!statement) return pass(std::move(statement.error()));
        bind(*statement);
        if (auto done = statement->run(); !done) return pass(std::move(done.error()));
        return database.changes();
    }

    // One transaction around one change; the number of rows it touched.
    template <class Bind>
    Result<int> change_durably(std::string_view sql, Bind bind) {
        auto transaction = Transaction::begin(database);
        if (!transaction) return pass(std::move(transaction.error()));
        auto touched = change(sql, bind);
        if (!touched) return touched;
        if (auto done = transaction->commit(); !done) return pass(std::move(done.error()));
        return touched;
    }
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::filesystem::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored))
        return fail(Errc::io,
                    "cannot open the store {}: there is no folder {}: make it, or name another file "
                    "under [store] path",
                    path.string(), folder.string());
    auto lock_path = path;
    lock_path += ".lock";
    auto lock = FileLock::take(lock_path);
    if (!lock && lock.error().code == Errc::conflict)
        return fail(Errc::conflict, "another tunnel-server already uses {}", path.string());
    if (!lock) return pass(std::move(lock.error()));

    if (auto made = make_private_file(path); !made) return pass(std::move(made.error()));
    auto database = Database::open(path);
    if (!database) return pass(std::move(database.error()));
    // Before anything is written, so that a refused file stays as it was.
    if (auto done = check_schema(*database, store_migrations()); !done) return pass(std::move(done.error()));
    if (auto done = set_up(*database); !done) return pass(std::move(done.error()));
    if (auto done = migrate(*database, store_migrations()); !done) return pass(std::move(done.error()));
    return Store(std::unique_ptr<Impl>(new Impl{std::move(*lock), std::move(*database)}));
}

Result<StoreSnapshot> Store::load_all() {
    StoreSnapshot snapshot;
    for (const auto read : {read_clients, read_settings, read_traffic, read_mappings, read_pauses,
                            read_drained, read_assigned_ports}) {
        if (auto done = read(impl_->database, snapshot); !done) return pass(std::move(done.error()));
    }
    return snapshot;
}

Status Store::add_client(const StoredClient& client) {
    auto added = impl_->change_durably(
        "INSERT INTO clients (name, stored_key, created_at, expires_at) VALUES (?, ?, ?, ?)",
        [&](Statement& statement) {
            statement.bind(1, client.name)
                .bind(2, BytesView(client.stored_key))
                .bind(3, unix_seconds(client.created_at));
            if (client.expires_at)
                statement.bind(4, unix_seconds(*client.expires_at));
            else
                statement.bind_null(4);
        });
    if (!added && added.error().code == Errc::exists)
        return fail(
            Errc::exists,
            "client \"{}\" exists already: choose another name, or \"tunnelctl client rotate {}\" for a "
            "new link",
            client.name, client.name);
    if (!added) return pass(std::move(added.error()));
    return {};
}

Status Store::remove_client(std::string_view name) {
    auto removed = impl_->change_durably("DELETE FROM clients WHERE name = ?",
                                         [&](Statement& statement) { statement.bind(1, name); });
    if (!removed) return pass(std::move(removed.error()));
    if (*removed == 0) return pass(no_client(name));
    return {};
}

Status Store::set_client(std::string_view name, const ClientSettings& settings,
                         std::optional<WallTime> expires_at) {
    auto transaction = Transaction::begin(impl_->database);
    if (!transaction) return pass(std::move(transaction.error()));
    auto changed =
        impl_->change("UPDATE clients SET expires_at = ? WHERE name = ?", [&](Statement& statement) {
            if (expires_at) statement.bind(1, unix_seconds(*expires_at));
            statement.bind(2, name);
        });
    if (!changed) return pass(std::move(changed.error()));
    if (*changed == 0) return pass(no_client(name));
    auto cleared = impl_->change("DELETE FROM client_settings WHERE client = ?",
                                 [&](Statement& statement) { statement.bind(1, name); });
    if (!cleared) return pass(std::move(cleared.error()));
    for (const auto& [setting, values] : given_settings(settings)) {
        for (std::size_t place = 0; place < values.size(); ++place) {
            auto put = impl_->change(
                "INSERT INTO client_settings (client, setting, place, value) VALUES (?, ?, ?, ?)",
                [&](Statement& statement) {
                    statement.bind(1, name)
                        .bind(2, setting)
                        .bind(3, static_cast<std::int64_t>(place))
                        .bind(4, values[place]);
                });
            if (!put) return pass(std::move(put.error()));
        }
    }
    return transaction->commit();
}

Status Store::set_client_use(std::string_view name, const MonthlyUse& use) {
    auto done = impl_->change_durably(
        "INSERT INTO traffic (client, month, bytes, warned) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET month = excluded.month, bytes = excluded.bytes, warned = excluded.warned",
        [&](Statement& statement) {
            statement.bind(1, name)
                .bind(2, std::int64_t{use.month})
                .bind(3, static_cast<std::int64_t>(use.bytes))
                .bind(4, std::int64_t{use.warned ? 1 : 0});
        });
    if (!done && done.error().code == Errc::not_found) return pass(no_client(name));
    if (!done) return pass(std::move(done.error()));
    return {};
}

Status Store::set_client_key(std::string_view name, const StoredKey& stored_key) {
    auto changed = impl_->change_durably(
        "UPDATE clients SET stored_key = ? WHERE name = ?",
        [&](Statement& statement) { statement.bind(1, BytesView(stored_key)).bind(2, name); });
    if (!changed) return pass(std::move(changed.error()));
    if (*changed == 0) return pass(no_client(name));
    return {};
}

Status Store::add_mapping(const StoredMapping& mapping) {
    const auto spec = to_spec(mapping.options);
    const auto bytes = wire::encode(spec);
    // The spec counts; the columns beside it are for people who look into the file.
    auto added = impl_->change_durably(
        "INSERT INTO mappings (client, name, tcp, service, encrypt, created_at, spec) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [&](Statement& statement) {
            statement.bind(1, mapping.client)
                .bind(2, spec.name)
                .bind(3, std::int64_t{spec.tcp})
                .bind(4, spec.service)
                .bind(5, std::int64_t{spec.encrypt ? 1 : 0})
                .bind(6, unix_seconds(mapping.created_at))
                .bind(7, BytesView(bytes));
        });
    if (!added && added.error().code == Errc::exists)
        return fail(Errc::exists,
                    "client \"{}\" has a mapping \"{}\" already: choose another name, or remove it "
                    "first",
                    mapping.client, mapping.options.name);
    if (!added && added.error().code == Errc::not_found) return pass(no_client(mapping.client));
    if (!added) return pass(std::move(added.error()));
    return {};
}

Status Store::remove_mapping(std::string_view client, std::string_view name) {
    const auto both = [&](Statement& statement) { statement.bind(1, client).bind(2, name); };
    auto transaction = Transaction::begin(impl_->database);
    if (!transaction) return pass(std::move(transaction.error()));
    auto removed = impl_->change("DELETE FROM mappings WHERE client = ? AND name = ?", both);
    if (!removed) return pass(std::move(removed.error()));
    if (*removed == 0)
        return fail(Errc::not_found, "client \"{}\" has no mapping \"{}\" that the admin made", client, name);
    for (const auto* sql : {"DELETE FROM pauses WHERE client = ? AND mapping = ?",
                            "DELETE FROM drained_members WHERE client = ? AND mapping = ?",
                            "DELETE FROM assigned_ports WHERE client = ? AND mapping = ?"}) {
        if (auto done = impl_->change(sql, both); !done) return pass(std::move(done.error()));
    }
    return transaction->commit();
}

Status Store::set_paused(std::string_view client, std::string_view mapping, bool paused) {
    // DO NOTHING covers a second pause only; a missing client still violates the foreign key.
    auto done = impl_->change_durably(
        paused ? "INSERT INTO pauses (client, mapping) VALUES (?, ?) ON CONFLICT DO NOTHING"
               : "DELETE FROM pauses WHERE client = ? AND mapping = ?",
        [&](Statement& statement) { statement.bind(1, client).bind(2, mapping); });
    if (!done && done.error().code == Errc::not_found) return pass(no_client(client));
    if (!done) return pass(std::move(done.error()));
    return {};
}

Status Store::set_drained(const DrainedMember& member, bool drained) {
    auto done = impl_->change_durably(
        drained
            ? "INSERT INTO drained_members (client, mapping, service) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            : "DELETE FROM drained_members WHERE client = ? AND mapping = ? AND service = ?",
        [&](Statement& statement) {
            statement.bind(1, member.client).bind(2, member.mapping).bind(3, member.service);
        });
    if (!done && done.error().code == Errc::not_found) return pass(no_client(member.client));
    if (!done) return pass(std::move(done.error()));
    return {};
}

Status Store::set_assigned_port(std::string_view client, std::string_view mapping, Port port) {
    if (port == 0) return fail(Errc::invalid, "0 is not a port that mapping \"{}\" could be given", mapping);
    auto done = impl_->change_durably(
        "INSERT INTO assigned_ports (client, mapping, port) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET port = excluded.port",
        [&](Statement& statement) {
            statement.bind(1, client).bind(2, mapping).bind(3, std::int64_t{port});
        });
    if (!done && done.error().code == Errc::not_found) return pass(no_client(client));
    if (!done) return pass(std::move(done.error()));
    return {};
}

Status Store::remove_assigned_port(std::string_view client, std::string_view mapping) {
    auto done =
        impl_->change_durably("DELETE FROM assigned_ports WHERE client = ? AND mapping = ?",
                              [&](Statement& statement) { statement.bind(1, client).bind(2, mapping); });
    if (!done) return pass(std::move(done.error()));
    return {};
}

}  // namespace tunnel::server
