#pragma once
// What the server keeps across restarts: its clients, the admin's mappings, which mappings are paused and
// which ports were chosen for `tcp = 0`. One SQLite file; schema.hpp says how it is laid out.
//
// Owner and thread: one thread at a time, no locks inside. Every call may wait for the disk, so the server
// gives the store a thread of its own. Nothing here calls back.
//
// Durability: a mutating call is one transaction and returns success only after its bytes were synced
// (write-ahead log, synchronous=FULL). A call that fails has changed nothing.
//
// Errors: not_found and exists as each method says; everything else is io (disk full, read-only, damaged
// file) with SQLite's words, the file's name and what to do about it.

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/mapping/mapping_options.hpp"
#include "tunnel-server/access/client_settings.hpp"
#include "tunnel-server/access/monthly_quota.hpp"

namespace tunnel::server {

// What the server keeps of a client's secret: enough to check a proof, not the secret itself.
using StoredKey = std::array<Byte, 32>;

// Times are kept to the second.
struct StoredClient {
    std::string name;
    StoredKey stored_key{};
    WallTime created_at;
    std::optional<WallTime> expires_at;  // empty: never
    ClientSettings settings{};
    MonthlyUse use{};
    bool operator==(const StoredClient&) const = default;
};

// A mapping that the admin made. Those a client declares live in the client's config and are not kept here.
struct StoredMapping {
    std::string client;
    MappingOptions options;
    WallTime created_at;
    // A sentence when its options were written by another release and cannot be used as they stand; options
    // then has the name alone.
    std::string problem{};
    bool operator==(const StoredMapping&) const = default;
};

// Mappings of either source can be paused, so these name no row of StoredMapping.
struct PausedMapping {
    std::string client;
    std::string mapping;
    bool operator==(const PausedMapping&) const = default;
};

// A service of a mapping of either source that is to take no new visitors.
struct DrainedMember {
    std::string client;
    std::string mapping;
    std::string service;
    bool operator==(const DrainedMember&) const = default;
};

// The port that the server chose for a `tcp = 0` mapping of either source.
struct AssignedPort {
    std::string client;
    std::string mapping;
    Port port = 0;
    bool operator==(const AssignedPort&) const = default;
};

// Everything, each list ordered by name.
struct StoreSnapshot {
    std::vector<StoredClient> clients;
    std::vector<StoredMapping> mappings;
    std::vector<PausedMapping> paused;
    std::vector<AssignedPort> assigned_ports;
    std::vector<DrainedMember> drained;
};

class Store {
  public:
    // Opens the file, or makes it with mode 0600; its folder must exist. Beside it stand PATH-wal and
    // PATH-shm (SQLite's) and PATH.lock, whose flock(2) keeps a second server out for as long as this object
    // lives. Errors: conflict (another server uses the file), version (written by a newer server), invalid
    // (not a store), io. A refused file is left as it was.
    static Result<Store> open(const std::filesystem::path& path);

    Store(Store&&) noexcept;
    Store& operator=(Store&&) noexcept;
    ~Store();

    Result<StoreSnapshot> load_all();

    // exists: a client of that name is there already.
    Status add_client(const StoredClient& client);
    // Removes its mappings, pauses, drained members and assigned ports as well. not_found.
    Status remove_client(std::string_view name);
    // What it is allowed, and until when. not_found.
    Status set_client(std::string_view name, const ClientSettings& settings,
                      std::optional<WallTime> expires_at);
    // not_found.
    Status set_client_use(std::string_view name, const MonthlyUse& use);
    // A new secret for an old name. not_found.
    Status set_client_key(std::string_view name, const StoredKey& stored_key);

    // not_found: no such client. exists: the client has an admin mapping of that name already.
    Status add_mapping(const StoredMapping& mapping);
    // Forgets its pause, its drained members and its assigned port as well. not_found.
    Status remove_mapping(std::string_view client, std::string_view name);

    // Pausing what is paused and resuming what is not both succeed. not_found: pausing
    // with no such client.
    Status set_paused(std::string_view client, std::string_view mapping, bool paused);

    // Likewise for a member of a mapping.
    Status set_drained(const DrainedMember& member, bool drained);

    // Replaces the port remembered before. not_found: no such client.
    Status set_assigned_port(std::string_view client, std::string_view mapping, Port port);
    // Succeeds when there is none.
    Status remove_assigned_port(std::string_view client, std::string_view mapping);

  private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace tunnel::server
