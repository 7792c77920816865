#include "tunnel-server/store/schema.hpp"

#include <array>

namespace tunnel::server {

namespace {

// "tunl": tells our file from another program's SQLite database (the file header's application id).
constexpr std::int64_t application_id = 0x74756e6c;

// Times are Unix seconds. STRICT makes SQLite keep the declared types; the CHECKs are what Store promises.
constexpr std::string_view first_layout = R"sql(
CREATE TABLE clients (
    name       TEXT PRIMARY KEY,
    stored_key BLOB NOT NULL CHECK (length(stored_key) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE mappings (
    client     TEXT NOT NULL REFERENCES clients (name) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    tcp        INTEGER NOT NULL CHECK (tcp BETWEEN 0 AND 65535),
    service    TEXT NOT NULL,
    encrypt    INTEGER NOT NULL CHECK (encrypt IN (0, 1)),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (client, name)
) STRICT, WITHOUT ROWID;

-- These two name mappings of either source, so they refer to the client only.
CREATE TABLE pauses (
    client  TEXT NOT NULL REFERENCES clients (name) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    PRIMARY KEY (client, mapping)
) STRICT, WITHOUT ROWID;

CREATE TABLE assigned_ports (
    client  TEXT NOT NULL REFERENCES clients (name) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    port    INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    PRIMARY KEY (client, mapping)
) STRICT, WITHOUT ROWID;
)sql";

// All that a mapping's owner said of it: proto/mapping.proto's MappingSpec. NULL in rows of the layout
// before.
constexpr std::string_view whole_specs = "ALTER TABLE mappings ADD COLUMN spec BLOB;";

// What the admin set for a client, in the words of `tunnelctl client set`; and the bytes of the month
// (counted from January 1970) in which its visitors were last here.
constexpr std::string_view client_settings = R"sql(
CREATE TABLE client_settings (
    client  TEXT NOT NULL REFERENCES clients (name) ON DELETE CASCADE,
    setting TEXT NOT NULL,
    place   INTEGER NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (client, setting, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE traffic (
    client TEXT PRIMARY KEY REFERENCES clients (name) ON DELETE CASCADE,
    month  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL CHECK (bytes >= 0),
    warned INTEGER NOT NULL CHECK (warned IN (0, 1))
) STRICT, WITHOUT ROWID;
)sql";

// Members of groups, of mappings of either source.
constexpr std::string_view drained_members = R"sql(
CREATE TABLE drained_members (
    client  TEXT NOT NULL REFERENCES clients (name) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    service TEXT NOT NULL,
    PRIMARY KEY (client, mapping, service)
) STRICT, WITHOUT ROWID;
)sql";

}  // namespace

std::span<const std::string_view> store_migrations() {
    static constexpr std::array<std::string_view, 4> steps{first_layout, whole_specs, client_settings,
                                                           drained_members};
    return steps;
}

Status check_schema(sqlite::Database& database, std::span<const std::string_view> migrations) {
    auto seen = database.query_integer("PRAGMA user_version");
    if (!seen && seen.error().code == Errc::invalid)
        return fail(
            Errc::invalid,
            "{} is not a store of tunnel-server (not an SQLite file): move it away or name another file "
            "under [store] path",
            database.file());
    if (!seen) return pass(std::move(seen.error()));
    auto owner = database.query_integer("PRAGMA application_id");
    if (!owner) return pass(std::move(owner.error()));
    auto objects = database.query_integer("SELECT count(*) FROM sqlite_schema");
    if (!objects) return pass(std::move(objects.error()));
    const bool empty = *seen == 0 && *owner == 0 && *objects == 0;
    if (!empty && *owner != application_id)
        return fail(Errc::invalid,
                    "{} is another program's SQLite database: name another file under [store] path",
                    database.file());
    const auto known = static_cast<std::int64_t>(migrations.size());
    if (*seen > known)
        return fail(Errc::version,
                    "{} was written by a newer tunnel-server (schema {}, this one knows {}): upgrade "
                    "tunnel-server",
                    database.file(), *seen, known);
    return {};
}

Status migrate(sqlite::Database& database, std::span<const std::string_view> migrations) {
    auto seen = database.query_integer("PRAGMA user_version");
    if (!seen) return pass(std::move(seen.error()));
    for (auto step = static_cast<std::size_t>(*seen); step < migrations.size(); ++step) {
        auto transaction = sqlite::Transaction::begin(database);
        if (!transaction) return pass(std::move(transaction.error()));
        const auto sql = fmt::format("{}\n;\nPRAGMA application_id = {};\nPRAGMA user_version = {};",
                                     migrations[step], application_id, step + 1);
        if (auto done = database.execute(sql); !done) return done;
        if (auto done = transaction->commit(); !done) return done;
    }
    return {};
}

}  // namespace tunnel::server
