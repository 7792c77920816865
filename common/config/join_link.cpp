#include "common/config/join_link.hpp"

#include <algorithm>

#include "common/core/names.hpp"

namespace tunnel::config {

namespace {

constexpr std::string_view scheme = "tunnel://";
constexpr std::string_view shape = "tunnel://NAME:SECRET@HOST:PORT?pin=PIN";

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view white = " \t\r\n";
    const auto strip = [&] {
        const auto first = text.find_first_not_of(white);
        text = first == std::string_view::npos ? std::string_view()
                                               : text.substr(first, text.find_last_not_of(white) - first + 1);
    };
    strip();
    if (text.size() >= 2 && text.front() == text.back() && (text.front() == '"' || text.front() == '\'')) {
        text = text.substr(1, text.size() - 2);
        strip();
    }
    return text;
}

Result<Secret> parse_secret(std::string_view text) {
    auto secret = Secret::from_base64url(text);
    if (!secret || secret->size() != client_secret_bytes)
        return fail(Errc::invalid,
                    "the secret in the join link is damaged: 43 characters of base64url belong there, and {} "
                    "were found; copy the whole link again",
                    text.size());
    return secret;
}

Result<HostPort> parse_server(std::string_view text) {
    const auto bracket = text.rfind(']');
    const auto colon = text.rfind(':');
    const bool has_port =
        colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    auto server =
        has_port ? parse_host_port(text) : parse_host_port(fmt::format("{}:{}", text, default_tunnel_port));
    if (!server)
        return fail(Errc::invalid,
                    "the server's address in the join link is wrong: between @ and ? stands HOST:PORT, such "
                    "as vps.example.com:7000 or [2001:db8::1]:7000");
    return server;
}

// Takes "&via=wss" off the end of the query.
Via take_via(std::string_view& query) {
    constexpr std::string_view suffix = "&via=wss";
    if (!query.ends_with(suffix)) return Via::unsaid;
    query.remove_suffix(suffix.size());
    return Via::websocket;
}

Result<Trust> parse_trust(std::string_view query) {
    if (query == "ca=system") return SystemCa{};
    constexpr std::string_view pin_key = "pin=";
    if (!query.starts_with(pin_key))
        return fail(
            Errc::invalid,
            "the join link does not say how to know the server: it ends in ?pin=PIN or in ?ca=system, "
            "with &via=wss behind it or nothing else; copy the whole link again");
    const auto text = query.substr(pin_key.size());
    Bytes bytes;
    Pin pin{};
    if (!base64url_decode(text, bytes) || bytes.size() != pin.size())
        return fail(
            Errc::invalid,
            "the pin in the join link is damaged: 43 characters of base64url belong there, and {} were "
            "found; copy the whole link again",
            text.size());
    std::copy(bytes.begin(), bytes.end(), pin.begin());
    return pin;
}

}  // namespace

Result<JoinLink> parse_join_link(std::string_view text) {
    text = trimmed(text);
    if (text.empty()) return fail(Errc::invalid, "the join link is empty: it looks like {}", shape);
    if (!text.starts_with(scheme))
        return fail(Errc::invalid, "this is not a join link: one begins with {} and looks like {}", scheme,
                    shape);
    text.remove_prefix(scheme.size());
    const auto at = text.find('@');
    const auto query = text.find('?');
    const auto colon = text.find(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at)
        return fail(Errc::invalid, "the join link carries no NAME:SECRET@ part: it looks like {}", shape);
    if (query == std::string_view::npos || query < at)
        return fail(
            Errc::invalid,
            "the join link ends too early: ?pin=PIN or ?ca=system is missing; copy the whole link and "
            "put it in quotes, because ? means something to the shell");
    const auto name = text.substr(0, colon);
    if (!check_name("client", name))
        return fail(Errc::invalid,
                    "the client's name in the join link is wrong: it has 1 to 63 letters, digits, - _ and ., "
                    "beginning with a letter or digit");
    auto secret = parse_secret(text.substr(colon + 1, at - colon - 1));
    if (!secret) return pass(std::move(secret.error()));
    auto server = parse_server(text.substr(at + 1, query - at - 1));
    if (!server) return pass(std::move(server.error()));
    auto how = text.substr(query + 1);
    const auto via = take_via(how);
    auto trust = parse_trust(how);
    if (!trust) return pass(std::move(trust.error()));
    return JoinLink{std::string(name), std::move(*secret), std::move(*server), *trust, via};
}

Secret to_text(const JoinLink& link) {
    const auto* pin = std::get_if<Pin>(&link.trust);
    const std::string tail = fmt::format("@{}?{}{}", to_string(link.server),
                                         pin != nullptr ? "pin=" + base64url_encode(*pin) : "ca=system",
                                         link.via == Via::websocket ? "&via=wss" : "");
    std::string secret = link.secret.reveal_base64url();
    std::string text;
    text.reserve(scheme.size() + link.client.size() + 1 + secret.size() + tail.size());
    text.append(scheme).append(link.client).append(":").append(secret).append(tail);
    Secret result(view_of(text));
    wipe(secret);
    wipe(text);
    return result;
}

}  // namespace tunnel::config
