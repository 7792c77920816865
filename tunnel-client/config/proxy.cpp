#include "tunnel-client/config/proxy.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "common/wire/socks5.hpp"

namespace tunnel::client {

namespace {

constexpr std::string_view shape = "http://USER:PASSWORD@HOST:PORT, socks5://USER:PASSWORD@HOST:PORT or none";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char letter = lower(c);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// RFC 3986 section 2.1.
std::optional<std::string> unescape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return out;
}

Result<Proxy::Kind> parse_scheme(std::string_view scheme) {
    const auto name = lower(scheme);
    if (name == "http") return Proxy::Kind::http;
    if (name == "socks5" || name == "socks5h") return Proxy::Kind::socks5;
    if (name == "https")
        return fail(Errc::invalid,
                    "a proxy that is itself reached by TLS (https://) cannot be used: write http:// if it "
                    "takes that, "
                    "too");
    return fail(Errc::invalid, "this kind of proxy cannot be used: write {}", shape);
}

Status parse_login(std::string_view text, Proxy& out) {
    const auto colon = text.find(':');
    auto user = unescape(text.substr(0, colon));
    auto password = unescape(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
    const auto bad = [](const std::optional<std::string>& part) {
        return !part || part->size() > wire::max_socks5_text ||
               std::any_of(part->begin(), part->end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    };
    const bool wrong = bad(user) || bad(password) || user->empty() ||
                       (out.kind == Proxy::Kind::http && user->find(':') != std::string::npos) ||
                       (out.kind == Proxy::Kind::socks5 && password->empty());
    if (!wrong) {
        out.user = std::move(*user);
        out.password = Secret(view_of(*password));
    }
    if (password) wipe(*password);
    if (wrong)
        return fail(
            Errc::invalid,
            "the proxy's user and password are wrong: write USER:PASSWORD@ with 1 to {} characters each, and "
            "%XX for characters that mean something in a URL, such as %40 for @",
            wire::max_socks5_text);
    return {};
}

bool ends_in_name(const std::string& host, const std::string& name) {
    return host == name ||
           (host.size() > name.size() && host.ends_with(name) && host[host.size() - name.size() - 1] == '.');
}

bool entry_names(std::string_view entry, const HostPort& server) {
    if (entry == "*") return true;
    const auto ip = parse_ip(server.host);
    if (const auto network = parse_network(entry); network && ip) return network->contains(*ip);
    if (const auto with_port = parse_host_port(entry); with_port) {
        if (with_port->port != server.port) return false;
        return entry_names(with_port->host, server);
    }
    if (ip) return false;
    if (entry.starts_with("*.")) entry.remove_prefix(1);
    if (entry.starts_with('.')) entry.remove_prefix(1);
    return !entry.empty() && ends_in_name(lower(server.host), lower(entry));
}

}  // namespace

Result<Proxy> parse_proxy(std::string_view text) {
    Proxy proxy;
    if (text == "none") return proxy;
    proxy.kind = Proxy::Kind::http;
    if (const auto end = text.find("://"); end != std::string_view::npos) {
        const auto kind = parse_scheme(text.substr(0, end));
        if (!kind) return pass(kind.error());
        proxy.kind = *kind;
        text.remove_prefix(end + 3);
    }
    if (text.ends_with('/')) text.remove_suffix(1);
    // A password may hold an @ that nobody escaped.
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        if (auto ok = parse_login(text.substr(0, at), proxy); !ok) return pass(std::move(ok.error()));
        text.remove_prefix(at + 1);
    }
    auto address = parse_host_port(text);
    if (!address) return fail(Errc::invalid, "the proxy's address is wrong: write {}", shape);
    proxy.address = std::move(*address);
    return proxy;
}

std::string to_string(const Proxy& proxy) {
    switch (proxy.kind) {
        case Proxy::Kind::none:
            return "no proxy";
        case Proxy::Kind::http:
            return fmt::format("the HTTP proxy {}", to_string(proxy.address));
        case Proxy::Kind::socks5:
            return fmt::format("the SOCKS5 proxy {}", to_string(proxy.address));
    }
    return "no proxy";
}

bool names_server(std::string_view no_proxy, const HostPort& server) {
    while (!no_proxy.empty()) {
        const auto end = no_proxy.find_first_of(", \t");
        const auto entry = no_proxy.substr(0, end);
        if (!entry.empty() && entry_names(entry, server)) return true;
        no_proxy.remove_prefix(end == std::string_view::npos ? no_proxy.size() : end + 1);
    }
    return false;
}

Result<Proxy> proxy_of_environment(const Environment& environment, const HostPort& server) {
    constexpr std::array exempt{"no_proxy", "NO_PROXY"};
    for (const auto* name : exempt) {
        const auto text = environment(name);
        if (text && names_server(*text, server)) return Proxy{};
    }
    constexpr std::array names{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (const auto* name : names) {
        auto text = environment(name);
        if (!text || text->empty()) continue;
        auto proxy = parse_proxy(*text);
        wipe(*text);
        if (!proxy)
            return fail(Errc::invalid,
                        "the environment's {} cannot be used: {}; or write proxy = \"none\" in client.toml",
                        name, proxy.error().message);
        return proxy;
    }
    return Proxy{};
}

std::optional<std::string> environment_of_process(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace tunnel::client
