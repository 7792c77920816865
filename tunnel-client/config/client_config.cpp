#include "tunnel-client/config/client_config.hpp"

#include "common/config/files.hpp"
#include "common/config/toml_reader.hpp"
#include "common/mapping/from_toml.hpp"

namespace tunnel::client {

namespace {

using config::Document;
using config::Table;

constexpr Millis longest_drain = std::chrono::hours(24);
constexpr Millis shortest_dial = Millis(100);
constexpr Millis longest_dial = std::chrono::minutes(5);

void read_link(Table& root, ClientConfig& out, Link link) {
    if (auto text = root.text("link")) {
        auto parsed = config::parse_join_link(text->value);
        wipe(text->value);
        if (parsed)
            out.link = std::move(*parsed);
        else
            root.report("link", text->at, parsed.error().message);
    } else if (link == Link::required && root.present() && !root.has("link")) {
        root.report(
            root.position(),
            "link is missing: run `tunnel-client join` with the link that `tunnelctl client add` printed");
    }
}

void read_ca_file(Table& root, ClientConfig& out) {
    std::string path;
    if (root.read("ca_file", path) && !path.empty()) out.ca_file = config::path_from_config(out.file, path);
}

Result<WayChoice> parse_way(std::string_view text) {
    if (text == "auto") return WayChoice::automatic;
    if (text == "direct") return WayChoice::direct;
    if (text == "websocket") return WayChoice::websocket;
    return fail(Errc::invalid, "\"{}\" is not a way to the server: write auto, direct or websocket", text);
}

void read_ways(Table& root, ClientConfig& out) {
    root.read_list("servers", out.servers, [](std::string_view text) { return parse_host_port(text); });
    root.read("way", out.way, parse_way);
    auto text = root.text("proxy");
    if (!text || text->value.empty()) return;
    auto proxy = parse_proxy(text->value);
    wipe(text->value);
    if (proxy)
        out.proxy = std::move(*proxy);
    else
        root.report("proxy", text->at, proxy.error().message);
}

// Reports what two mappings cannot have both.
void check_unique(Table& table, const MappingOptions& mapping, const std::vector<MappingOptions>& above) {
    for (const auto& other : above) {
        if (other.name == mapping.name)
            table.report("name", table.position_of("name"),
                         fmt::format("\"{}\" is the name of a mapping above: choose another", mapping.name));
        const bool shared = !mapping.group.name.empty() && other.group.name == mapping.group.name;
        if (shared || !overlap(other.endpoint, mapping.endpoint)) continue;
        const auto& endpoint = mapping.endpoint;
        table.report(endpoint.kind(), table.position_of(endpoint.kind()),
                     endpoint.is_unix()
                         ? fmt::format("{} is the socket of a mapping above: choose another", endpoint.path)
                         : fmt::format("{} is the port of a mapping above: choose another, or 0 to let the "
                                       "server choose",
                                       ports_to_string(endpoint)));
    }
}

void read_all(Document& document, ClientConfig& out, Link link) {
    Table root = document.root();
    read_link(root, out, link);
    read_ca_file(root, out);
    read_ways(root, out);
    root.read_list("allow", out.allow, parse_allow_rule);
    config::read_workers(root, out.workers);
    config::read_kernel_tls(root, out.kernel_tls);
    config::read_duration(root, "drain", out.drain, Millis(0), longest_drain);
    config::read_duration(root, "dial_timeout", out.dial_timeout, shortest_dial, longest_dial);
    root.read("cipher", out.cipher, parse_cipher_setting);
    config::read_heartbeat(root, out.heartbeat);
    config::read_log(root, out.log);
    for (Table& table : root.tables("mapping")) {
        auto mapping = read_mapping(table);
        if (!mapping) continue;
        check_unique(table, *mapping, out.mappings);
        out.mappings.push_back(std::move(*mapping));
    }
    if (out.link && !out.ca_file.empty() && std::holds_alternative<config::Pin>(out.link->trust))
        out.warnings.push_back(
            "ca_file has no effect: the link carries a pin, and the client knows the server by that");
}

}  // namespace

config::Checked<ClientConfig> parse_client_config(std::string_view text, const std::string& file, Link link) {
    ClientConfig config;
    config.file = file;
    auto document = Document::parse(text, file);
    read_all(document, config, link);
    if (auto problems = document.finish(); !problems.empty()) return tl::unexpected(std::move(problems));
    return config;
}

config::Checked<ClientConfig> load_client_config(const config::ClientPaths& paths, Link link) {
    auto text = config::read_file(paths.config);
    if (!text && text.error().code == Errc::not_found) {
        if (link == Link::optional) {
            ClientConfig defaults;
            defaults.file = paths.config;
            return defaults;
        }
        return tl::unexpected(config::problem_with_file(paths.config,
                                                        "the file does not exist: run `tunnel-client join` "
                                                        "with the link that `tunnelctl client add` printed"));
    }
    if (!text) return tl::unexpected(config::problem_with_file(paths.config, text.error().message));
    auto config = parse_client_config(*text, paths.config, link);
    wipe(*text);
    if (config && !config->link && config->proxy && !config->proxy->password.empty() &&
        config::readable_by_others(paths.config))
        config->warnings.push_back(fmt::format(
            "{0} holds a proxy's password and other users can read it: run `chmod 600 {0}`", paths.config));
    if (config && config->link && config::readable_by_others(paths.config))
        config->warnings.push_back(fmt::format(
            "{0} holds this client's secret and other users can read it: run `chmod 600 {0}`", paths.config));
    return config;
}

std::vector<std::string> client_config_keys() {
    ClientConfig config;
    // One mapping, because the keys of a list of tables are asked for only where there is a table.
    auto document = Document::parse("[[mapping]]\n", "");
    read_all(document, config, Link::optional);
    return document.known_keys();
}

}  // namespace tunnel::client
