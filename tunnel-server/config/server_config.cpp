#include "tunnel-server/config/server_config.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "common/config/files.hpp"
#include "common/config/toml_reader.hpp"
#include "common/core/names.hpp"

namespace tunnel::server {

namespace {

using config::Document;
using config::ServerPaths;
using config::Table;

constexpr Millis longest_grace = std::chrono::hours(1);
constexpr Millis longest_drain = std::chrono::hours(24);
constexpr std::int64_t largest_limit = 1'000'000;

Result<IpAddress> parse_bind(std::string_view text) {
    const auto address = parse_ip(text);
    if (!address)
        return fail(Errc::invalid,
                    "\"{}\" is not an address: write one of this machine's, such as :: or 192.0.2.1", text);
    return *address;
}

Result<LinkTrust> parse_link_trust(std::string_view text) {
    if (text == "pin") return LinkTrust::pin;
    if (text == "ca") return LinkTrust::ca;
    return fail(Errc::invalid, "\"{}\" is not a way to know the server: write pin or ca", text);
}

// An empty list would be a server that nobody can reach, which is never what was meant.
template <class T, class Parse>
void read_addresses(Table& root, std::string_view key, std::vector<T>& out, Parse parse) {
    std::vector<T> found;
    if (!root.read_list(key, found, parse)) return;
    if (found.empty())
        root.report(key, root.position_of(key), "the list is empty: name an address, or remove the line");
    else
        out = std::move(found);
}

void read_path(Table& table, std::string_view key, const ServerPaths& paths, std::string& out) {
    std::string path;
    if (table.read(key, path) && !path.empty()) out = config::path_from_config(paths.config, path);
}

void read_tls(Table& root, const ServerPaths& paths, TlsOptions& out) {
    Table table = root.table("tls");
    read_path(table, "certificate", paths, out.certificate);
    read_path(table, "key", paths, out.key);
    table.read("link", out.link, parse_link_trust);
}

void read_admin(Table& root, const ServerPaths& paths, AdminOptions& out) {
    Table table = root.table("admin");
    read_path(table, "socket", paths, out.socket);
    table.read("group", out.group);
    if (out.socket.size() > max_unix_path)
        table.report(
            table.position_of("socket"),
            fmt::format("the path of the admin socket has {} bytes, and Unix takes {} at most: write a "
                        "shorter one, such as \"/run/tunnel/admin.sock\"",
                        out.socket.size(), max_unix_path));
}

void read_limits(Table& root, LimitOptions& out) {
    Table table = root.table("limits");
    table.read_number("unauthenticated", out.unauthenticated, 1, largest_limit);
    table.read_number("unauthenticated_per_address", out.unauthenticated_per_address, 1, largest_limit);
    table.read_number("waiting_visitors", out.waiting_visitors, 0, largest_limit);
    table.read_number("ready_per_client", out.ready_per_client, 0, largest_limit);
    table.read_number("ready", out.ready, 0, largest_limit);
}

void read_lists(Table& root, const ServerPaths& paths, std::vector<ListFile>& out) {
    std::set<std::string> taken;
    for (Table& table : root.tables("list")) {
        ListFile list;
        const bool named = table.read("name", list.name, [](std::string_view text) -> Result<std::string> {
            if (auto checked = check_name("list", text); !checked) return pass(std::move(checked.error()));
            return std::string(text);
        });
        read_path(table, "file", paths, list.path);
        if (!table.has("name"))
            table.report(table.position(), "this list has no name: write name = \"NAME\"");
        if (list.path.empty()) table.report(table.position(), "this list has no file: write file = \"PATH\"");
        if (named && !taken.insert(list.name).second)
            table.report("name", table.position_of("name"),
                         fmt::format("\"{}\" is the name of a list above: choose another", list.name));
        out.push_back(std::move(list));
    }
}

void read_websocket(Table& root, WebSocketOptions& out) {
    Table table = root.table("websocket");
    table.read_list("trusted", out.trusted, parse_network);
    table.read("link", out.link, [](std::string_view text) -> Result<std::optional<HostPort>> {
        if (text.empty()) return std::nullopt;
        auto address = parse_host_port(text);
        if (!address) return pass(std::move(address.error()));
        return std::move(*address);
    });
}

void read_all(Document& document, const ServerPaths& paths, ServerConfig& out) {
    Table root = document.root();
    root.read("public_host", out.public_host, parse_public_host);
    read_addresses(root, "listen", out.listen, parse_listen);
    read_addresses(root, "bind", out.bind, parse_bind);
    root.read_list("allow_ports", out.allow_ports, parse_port_range);
    root.read_list("allow_unix", out.allow_unix, parse_unix_path_pattern);
    config::read_workers(root, out.workers);
    config::read_kernel_tls(root, out.kernel_tls);
    config::read_duration(root, "grace", out.grace, Millis(0), longest_grace);
    config::read_duration(root, "drain", out.drain, Millis(0), longest_drain);
    root.read("cipher", out.cipher, parse_cipher_setting);
    config::read_heartbeat(root, out.heartbeat);
    read_tls(root, paths, out.tls);
    Table store = root.table("store");
    read_path(store, "path", paths, out.store.path);
    read_admin(root, paths, out.admin);
    read_limits(root, out.limits);
    read_lists(root, paths, out.lists);
    read_websocket(root, out.websocket);
    config::read_log(root, out.log);
}

}  // namespace

Result<std::string> parse_public_host(std::string_view text) {
    if (text.empty()) return std::string();
    if (parse_ip(text)) return std::string(text);
    auto host = parse_host_port(fmt::format("{}:1", text));
    if (!host)
        return fail(
            Errc::invalid,
            "\"{}\" is not a host: write a name or an address without a port, such as vps.example.com "
            "or 2001:db8::1",
            text);
    return std::move(host->host);
}

Result<HostPort> parse_listen(std::string_view text) {
    auto address = parse_host_port(text, PortZero::allowed);
    if (address && !parse_ip(address->host))
        return fail(
            Errc::invalid,
            "\"{}\" names a host: write an address of this machine, such as [::]:7000 or 0.0.0.0:7000", text);
    return address;
}

bool ServerConfig::port_allowed(Port port) const {
    const auto is_tunnel_port = [port](const HostPort& address) { return address.port == port; };
    if (port == 0 || std::any_of(listen.begin(), listen.end(), is_tunnel_port)) return false;
    return std::any_of(allow_ports.begin(), allow_ports.end(),
                       [port](const PortRange& range) { return range.contains(port); });
}

std::string printed_host(const ServerConfig& config) {
    if (!config.public_host.empty()) return config.public_host;
    std::array<char, 256> name{};
    // The last byte stays zero: POSIX leaves open whether a cut name is terminated.
    if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "localhost";
    return name.data();
}

config::Checked<ServerConfig> parse_server_config(std::string_view text, const ServerPaths& paths) {
    ServerConfig config;
    config.file = paths.config;
    config.tls.certificate = paths.certificate;
    config.tls.key = paths.key;
    config.store.path = paths.store;
    config.admin.socket = paths.admin_socket;
    auto document = Document::parse(text, paths.config);
    read_all(document, paths, config);
    if (auto problems = document.finish(); !problems.empty()) return tl::unexpected(std::move(problems));
    return config;
}

config::Checked<ServerConfig> load_server_config(const ServerPaths& paths) {
    const auto text = config::read_file(paths.config);
    if (text) return parse_server_config(*text, paths);
    const bool missing = text.error().code == Errc::not_found;
    return tl::unexpected(config::problem_with_file(
        paths.config,
        missing ? "the file does not exist: run `tunnel-server init` first" : text.error().message));
}

std::vector<std::string> settings_needing_restart(const ServerConfig& now, const ServerConfig& next) {
    std::vector<std::string> names;
    const auto compare = [&](std::string_view name, bool same) {
        if (!same) names.emplace_back(name);
    };
    compare("listen", now.listen == next.listen);
    compare("workers", now.workers == next.workers);
    compare("kernel_tls", now.kernel_tls == next.kernel_tls);
    compare("store.path", now.store.path == next.store.path);
    compare("admin.socket", now.admin.socket == next.admin.socket);
    compare("admin.group", now.admin.group == next.admin.group);
    return names;
}

std::vector<std::string> server_config_keys() {
    ServerConfig config;
    // One list, because the keys of a list of tables are asked for only where there is a table.
    auto document = Document::parse("[[list]]\n", "");
    read_all(document, {}, config);
    return document.known_keys();
}

}  // namespace tunnel::server
