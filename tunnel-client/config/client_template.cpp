#include "common/config/toml_reader.hpp"
#include "tunnel-client/config/client_config.hpp"

namespace tunnel::client {

namespace {

constexpr std::string_view head =
    "# The tunnel client's config. It holds this client's secret: keep it readable by its owner only.\n\n"
    "# Where the server is, how to know it, and who this client is. `tunnel-client join` writes it.\n";

constexpr std::string_view rest = R"(
# With ca=system in the link: verify the server by this bundle (PEM) instead of the system's.
# ca_file = "ca.pem"

# Other addresses of the same server, tried in turn after the link's; the way to it: "auto" (direct, then websocket),
# "direct" or "websocket"; the proxy: empty for what HTTPS_PROXY, ALL_PROXY and NO_PROXY say, "none", or a URL.
# servers = ["vps.example.com:443"]
# way = "auto"
# proxy = "http://USER:PASSWORD@proxy.lan:3128"

# What the server's administrator may point at besides the mappings below: HOST_OR_NETWORK[:PORTS].
# allow = ["127.0.0.0/8", "::1", "192.168.1.10:80", "nas.lan:80-90", "[fd00::]/8", "unix:/run/app.sock"]

# Threads; 0: one per core.
# workers = 0

# "auto": where the kernel has TLS (`modprobe tls`), it seals and opens the records of bulk transfers. "off": this
# program does.
# kernel_tls = "off"

# How long running visitors may finish after SIGTERM.
# drain = "30s"

# How long a service may take to accept a connection.
# dial_timeout = "10s"

# Cipher of data connections: "aes-128-gcm" or "chacha20-poly1305", and no other; "auto": AES where the CPUs of both
# ends have instructions for it, else ChaCha20.
# cipher = "auto"

# [heartbeat]
# interval = "10s"
# timeout = "30s"

# [log]
# level = "info"    # debug info warn error
# format = "text"   # text json

# What this host exposes, a [[mapping]] each.
# [[mapping]]
# name = "ssh"
# tcp = 2222             # public port; 0: the server chooses
# to = "127.0.0.1:22"    # the service
# encrypt = false        # SSH encrypts by itself; leave it out for services that do not
# idle_timeout = "1h"    # a visitor's connection ends after that long without a byte; 0: never
# lifetime = "7d"        # and when it is that old; 0: never
# keepalive = "1m"       # silent visitors and services are asked whether they are there; 0: never

# Who may visit, and how much; the server keeps to it.
# [[mapping]]
# name = "photos"
# tcp = 8443
# to = "127.0.0.1:8443"
# allow = ["192.0.2.0/24", "2001:db8::/32"]   # networks, or list:NAME for a [[list]] of the server's
# deny = ["192.0.2.13"]                # where both match, the longer prefix counts
# max_visitors = 50                    # at once
# visitors_per_second = 20             # new ones
# visitors_per_second_per_address = 5  # of one IPv4 address or IPv6 /64
# bandwidth_in = "20Mbit"              # from visitors
# bandwidth_out = "100Mbit"            # to visitors
# bandwidth_burst = "1MiB"             # what may be saved up
# proxy_protocol = "v2"                # tells the service who the visitor is, by a PROXY header; or "v1"
# accept_proxy_from = ["10.0.0.0/8"]   # proxies in front, whose connections begin with one

# [[mapping]]
# name = "games"
# tcp = "6000-6010"      # a range; ADDRESS:PORT is one of the server's addresses
# to = "127.0.0.1:6000-6010"

# [[mapping]]
# name = "app"
# unix = "/run/tunnel/app.sock"   # on the server's host, whose allow_unix has to let it
# to = "unix:/run/app.sock"

# [[mapping]]
# name = "dns"
# udp = 5353             # datagrams
# to = "127.0.0.1:53"
# transport = "auto"     # as datagrams where UDP passes between the ends, else by "stream"; or "datagram"
# flow_timeout = "1m"    # a visitor whose datagrams cease for that long is forgotten

# [[mapping]]
# name = "site"
# tcp = 8090
# to = "127.0.0.1:8001"
# weight = 2              # visitors that the first service takes, as compared with the members
# backup = false          # true: only while no member can take them
# member = ["127.0.0.1:8002", "127.0.0.1:8003,backup"]   # services that share the visitors: HOST:PORT[,weight=N][,backup]
# balance = "round_robin" # or least_connections, visitor_address
# group = "site"          # shared with other mappings of the same group and endpoint
# check = "http"          # tcp, http, none: a service that fails its check gets no visitors
# check_path = "/health"
# check_status = "any"    # 200 to 399
# check_interval = "5s"
# check_timeout = "2s"
# check_rise = 2          # good checks in a row that bring a service up
# check_fall = 3          # bad ones that take it down
)";

// `prefix`, the link as a TOML text, `suffix`; without leaving the secret in memory that is not wiped.
Secret around_link(std::string_view prefix, const config::JoinLink& link, std::string_view suffix) {
    const Secret link_text = config::to_text(link);
    std::string text;
    text.reserve(prefix.size() + link_text.size() + 2 + suffix.size());
    // A join link has no character that TOML would want escaped.
    text.append(prefix).append("\"").append(text_of(link_text.reveal())).append("\"").append(suffix);
    Secret result(view_of(text));
    wipe(text);
    return result;
}

}  // namespace

Secret client_config_template(const config::JoinLink& link) {
    return around_link(fmt::format("{}link = ", head), link, fmt::format("\n{}", rest));
}

Result<Secret> replace_link(std::string_view text, const config::JoinLink& link, const std::string& file) {
    auto document = config::Document::parse(text, file);
    if (const auto problems = document.finish(); !problems.empty()) return pass(config::to_error(problems));
    Secret replaced;
    if (const auto range = document.value_range("link")) {
        replaced = around_link(text.substr(0, range->begin), link, text.substr(range->end));
    } else {
        // Above everything: below a [table] it would belong to that table. A byte order mark stays in front.
        const std::size_t top = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
        replaced = around_link(fmt::format("{}link = ", text.substr(0, top)), link,
                               fmt::format("\n{}", text.substr(top)));
    }
    return replaced;
}

}  // namespace tunnel::client
