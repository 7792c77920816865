#include "tunnel-server/config/server_config.hpp"

namespace tunnel::server {

namespace {

constexpr std::string_view before_values =
    R"(# The tunnel server's config. Every key is optional and stands here with its default. Paths are relative
# to this file's folder. After a change: `tunnel-server check`, then reload the server (SIGHUP); settings
# marked (restart) take effect at the next start.

# The host that join links and printed addresses name; empty: this machine's host name.
)";

constexpr std::string_view after_values = R"(
# Addresses on which public ports are opened; [::] falls back to 0.0.0.0 in the same way.
bind = ["::"]

# Public ports that clients may take, each "PORT" or "FIRST-LAST". Mappings made with tunnelctl are not
# bound by it; the tunnel port itself is never given away.
allow_ports = ["1024-65535"]

# Unix sockets that clients may make for their visitors (`unix = PATH`), each "/PATH" or "/FOLDER/*"; empty: none. Nothing
# that exists is overwritten. Mappings made with tunnelctl are not bound by it.
allow_unix = []

# Threads; 0: one per core. (restart)
workers = 0

# "auto": where the kernel has TLS (`modprobe tls`), it seals and opens the records of bulk transfers. "off":
# this program does. (restart)
kernel_tls = "off"

# How long public ports stay open for a client whose connection dropped; visitors wait meanwhile.
grace = "15s"

# How long running visitors may finish after SIGTERM.
drain = "30s"

# Cipher of the data connections of sessions that begin from now on: "aes-128-gcm" or "chacha20-poly1305", and no
# other; "auto": AES where the CPUs of both ends have instructions for it, else ChaCha20.
cipher = "auto"

[heartbeat]
# How often both ends send a sign of life, and after how long without one a session ends (at least twice
# the interval).
interval = "10s"
timeout = "30s"

[tls]
# PEM files. Empty: server.crt and server.key in the default folder, made by `tunnel-server init`.
certificate = ""
key = ""
# "pin": join links carry the fingerprint of the key, and the certificate may be self-signed. "ca":
# clients verify the certificate and public_host by CA.
link = "pin"

[store]
# Clients and the mappings made with tunnelctl. Empty: server.db in the default folder. (restart)
path = ""

[admin]
# The socket tunnelctl connects to. Empty: admin.sock in the default folder. (restart)
socket = ""
# The group that may use it (mode 0660). Empty: the server's own. (restart)
group = ""

[limits]
# Connections to the tunnel port that have not proved yet who they are: in all, and per address.
unauthenticated = 4096
unauthenticated_per_address = 1024
# Visitors of one client that wait for a data connection.
waiting_visitors = 1024
# Data connections that are dialled ahead of visitors, as many as the recent visitors ask for: of one client (0: none),
# and in all.
ready_per_client = 64
ready = 4096

[websocket]
# Clients whose network lets only HTTPS out reach the tunnel port inside WebSocket over TLS, at /tunnel. A web server
# in front (nginx, HAProxy) may do the TLS and pass it on to the tunnel port as plain HTTP from one of these networks;
# its X-Forwarded-For is believed.
trusted = ["127.0.0.0/8", "::1"]
# HOST:PORT of that web server: join links then name it and say via=wss. Empty: they name the tunnel port.
link = ""

# Lists of addresses and networks, one a line, `#` begins a comment; read again when they change. Mappings and
# clients refer to them: allow = ["list:office"], deny = ["list:blocked"].
# [[list]]
# name = "office"
# file = "office.list"

[log]
level = "info"    # debug info warn error
format = "text"   # text json
)";

}  // namespace

std::string server_config_template(const ServerTemplate& values) {
    std::string listen;
    for (const auto& address : values.listen)
        listen += fmt::format("{}\"{}\"", listen.empty() ? "" : ", ", to_string(address));
    return fmt::format(
        "{}public_host = \"{}\"\n\n"
        "# The tunnel port, where clients connect; [::] falls back to 0.0.0.0 on a host without IPv6. "
        "(restart)\n"
        "listen = [{}]\n{}",
        before_values, values.public_host, listen, after_values);
}

}  // namespace tunnel::server
