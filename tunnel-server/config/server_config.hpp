#pragma once
// server.toml as a plain struct. Loaded once at start and again on SIGHUP; the running server holds a value
// and shares no part of it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/paths.hpp"
#include "common/config/problem.hpp"
#include "common/config/sections.hpp"
#include "common/core/address.hpp"
#include "common/core/cipher.hpp"
#include "common/core/clock.hpp"
#include "common/mapping/unix_path.hpp"
#include "tunnel-server/access/list_file.hpp"

namespace tunnel::server {

// What a join link gives the client to know the server by.
enum class LinkTrust { pin, ca };

struct TlsOptions {
    std::string certificate;  // a path, PEM
    std::string key;          // a path, PEM
    LinkTrust link = LinkTrust::pin;
    bool operator==(const TlsOptions&) const = default;
};

struct StoreOptions {
    std::string path;
    bool operator==(const StoreOptions&) const = default;
};

struct AdminOptions {
    std::string socket;  // a path of at most 107 bytes, unix(7)
    std::string group;   // empty: the server's own
    bool operator==(const AdminOptions&) const = default;
};

struct LimitOptions {
    unsigned unauthenticated = 4096;              // connections to the tunnel port not yet authenticated
    unsigned unauthenticated_per_address = 1024;  // the same, of one peer address
    unsigned waiting_visitors = 1024;             // per client, waiting for a data connection
    unsigned ready_per_client = 64;               // data connections dialled ahead of visitors; 0: none
    unsigned ready = 4096;                        // the same, of all clients
    bool operator==(const LimitOptions&) const = default;
};

struct WebSocketOptions {
    // Web servers whose plain HTTP the tunnel port takes, and whose X-Forwarded-For is believed.
    std::vector<Network> trusted{{IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}}, 104},
                                 {IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, 128}};
    std::optional<HostPort> link;  // join links name this address, and say via=wss
    bool operator==(const WebSocketOptions&) const = default;
};

// The defaults are those of an empty server.toml. Paths are empty by default and never so in a loaded config:
// the load fills in the ones of ServerPaths.
struct ServerConfig {
    std::string file;         // the server.toml it came from
    std::string public_host;  // for join links and printed addresses; see printed_host()
    std::vector<HostPort> listen{
        {"::", 7000}};                         // tunnel port; hosts are IP addresses, port 0 takes a free one
    std::vector<IpAddress> bind{IpAddress{}};  // addresses on which public ports are opened
    std::vector<PortRange> allow_ports{{1024, 65535}};
    std::vector<UnixPathPattern> allow_unix;  // public Unix sockets that clients may make
    unsigned workers = 0;                     // 0: one per core
    config::KernelTlsChoice kernel_tls = config::KernelTlsChoice::off;
    Millis grace =
        Seconds(15);  // listeners stay open that long after their session's control connection drops
    Millis drain = Seconds(30);  // running visitors may finish that long after SIGTERM
    CipherSetting cipher;        // of data connections; nothing: whatever suits both ends
    config::HeartbeatOptions heartbeat;
    TlsOptions tls;
    StoreOptions store;
    AdminOptions admin;
    LimitOptions limits;
    std::vector<ListFile> lists;  // for allow and deny, in the file's order
    WebSocketOptions websocket;
    config::LogOptions log;

    // May a client take this public port? Never the tunnel port itself.
    bool port_allowed(Port port) const;
    bool operator==(const ServerConfig&) const = default;
};

// The host that join links and printed addresses name: public_host, or this machine's host name when that is
// empty.
std::string printed_host(const ServerConfig& config);

// The rules of public_host and of an element of listen, for `tunnel-server init`, which is given both on its
// command line. A public host is a name or an address without a port (empty is allowed); a listen address is
// an IP address and a port, 0 for a free one.
Result<std::string> parse_public_host(std::string_view text);
Result<HostPort> parse_listen(std::string_view text);

// Reads and checks paths.config. Every problem at once; a missing file is a problem that names
// `tunnel-server init`. Relative paths in the file are relative to its folder; those it leaves out or empty
// are those of `paths`.
config::Checked<ServerConfig> load_server_config(const config::ServerPaths& paths);
// The same from text that has been read already; `paths.config` names it.
config::Checked<ServerConfig> parse_server_config(std::string_view text, const config::ServerPaths& paths);

// What `tunnel-server init` was told; the rest of the file stands there with its defaults and a comment each.
struct ServerTemplate {
    std::string public_host;  // as parse_public_host gave it
    std::vector<HostPort> listen{{"::", 7000}};
};
std::string server_config_template(const ServerTemplate& values = {});

// The settings (their names in server.toml) that differ between the two and that a reload cannot apply:
// listen, workers, store.path, admin.socket, admin.group. Empty: a reload applies everything.
std::vector<std::string> settings_needing_restart(const ServerConfig& now, const ServerConfig& next);

// The dotted names of all keys of server.toml, sorted.
std::vector<std::string> server_config_keys();

}  // namespace tunnel::server
