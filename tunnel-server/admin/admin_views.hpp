#pragma once
// The running server's objects as the admin API's messages.

#include <vector>

#include "common/net/relay/relay_table.hpp"
#include "proto/admin.pb.h"
#include "tunnel-server/access/client_access.hpp"
#include "tunnel-server/clients/client_book.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"
#include "tunnel-server/sessions/session_table.hpp"

namespace tunnel::server {

// Whole seconds since 1970; 0 for a time never set.
std::int64_t unix_seconds(WallTime time);

// `relays` are those running on all workers: their bytes are not in the counters yet.
void fill(proto::MappingInfo& out, const Mapping& mapping, const MappingTable& table,
          const std::vector<net::RelaySnapshot>& relays);
void fill(proto::ClientInfo& out, const std::string& name, const ClientBook::Client& client,
          const SessionTable& sessions, const MappingTable& mappings, const ClientAccess& access,
          WallTime now);
void fill(proto::SessionInfo& out, const Session& session, const MappingTable& mappings);
void fill(proto::ConnectionInfo& out, const net::RelaySnapshot& relay);

}  // namespace tunnel::server
