#pragma once
// client.toml as a plain struct. Move-only, because it holds the client's secret.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/join_link.hpp"
#include "common/config/paths.hpp"
#include "common/config/problem.hpp"
#include "common/config/sections.hpp"
#include "common/core/cipher.hpp"
#include "common/core/clock.hpp"
#include "common/core/secret.hpp"
#include "common/mapping/mapping_options.hpp"
#include "tunnel-client/config/allow_rule.hpp"
#include "tunnel-client/config/proxy.hpp"

namespace tunnel::client {

// How the server is reached: as it is, inside WebSocket over TLS, or the one and then the other.
enum class WayChoice { automatic, direct, websocket };

// The defaults are those of an empty client.toml.
struct ClientConfig {
    std::string file;                      // the client.toml it came from
    std::optional<config::JoinLink> link;  // always there after a load with Link::required
    std::string ca_file;                   // a path, PEM; empty: the system's bundle
    std::vector<HostPort> servers;         // other addresses of the same server, tried after the link's
    WayChoice way = WayChoice::automatic;
    std::optional<Proxy> proxy;  // none: what the environment says
    std::vector<AllowRule> allow = loopback_rules();
    unsigned workers = 0;  // 0: one per core
    config::KernelTlsChoice kernel_tls = config::KernelTlsChoice::off;
    Millis drain = Seconds(30);         // running visitors may finish that long after SIGTERM
    Millis dial_timeout = Seconds(10);  // to the service
    CipherSetting cipher;               // of data connections; nothing: whatever suits both ends
    config::HeartbeatOptions heartbeat;
    config::LogOptions log;
    std::vector<MappingOptions> mappings;

    // Not fatal, for the log: sentences such as that the file is readable by others.
    std::vector<std::string> warnings;
};

// `optional` for verbs that are given a link on the command line: then neither the file nor the link in it
// needs to be there.
enum class Link { required, optional };

// Reads and checks paths.config. Every problem at once; a missing file or link is a problem that names
// `tunnel-client join`. ca_file is relative to the file's folder.
config::Checked<ClientConfig> load_client_config(const config::ClientPaths& paths,
                                                 Link link = Link::required);
// The same from text that has been read already; `file` names it and is not opened.
config::Checked<ClientConfig> parse_client_config(std::string_view text, const std::string& file,
                                                  Link link = Link::required);

// The file that `tunnel-client join` writes where there is none: the link, and the rest as comments. Both
// results hold the client's secret; write text_of(result.reveal()) with config::write_private_file.
Secret client_config_template(const config::JoinLink& link);
// The existing file's text with the new link in place of the old, or with a `link` line at its top; every
// other byte stays. Errc::invalid when `text` is not TOML, with the position; `file` names it.
Result<Secret> replace_link(std::string_view text, const config::JoinLink& link, const std::string& file);

// The dotted names of all keys of client.toml, sorted.
std::vector<std::string> client_config_keys();

}  // namespace tunnel::client
