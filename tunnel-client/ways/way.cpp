#include "tunnel-client/ways/way.hpp"

#include <algorithm>

#include "common/config/files.hpp"

namespace tunnel::client {

namespace {

Result<tls::Trust> trust_of(const config::JoinLink& link, const std::string& ca_file) {
    if (const auto* pin = std::get_if<config::Pin>(&link.trust)) return tls::Pin{*pin};
    if (ca_file.empty()) return tls::SystemStore{};
    auto pem = config::read_file(ca_file);
    if (!pem) return pass(std::move(pem.error()));
    return tls::CaBundle{std::move(*pem)};
}

std::vector<HostPort> addresses_of(const ClientConfig& config, const config::JoinLink& link) {
    std::vector<HostPort> out{link.server};
    for (const auto& server : config.servers) {
        if (std::find(out.begin(), out.end(), server) == out.end()) out.push_back(server);
    }
    return out;
}

WayChoice choice_of(const ClientConfig& config, const config::JoinLink& link) {
    if (config.way != WayChoice::automatic) return config.way;
    return link.via == config::Via::websocket ? WayChoice::websocket : WayChoice::automatic;
}

}  // namespace

std::string to_string(const Way& way) {
    const std::string_view how = way.websocket ? "websocket" : "direct";
    if (way.proxy.kind == Proxy::Kind::none) return std::string(how);
    return fmt::format("{} through {}", how, to_string(way.proxy));
}

Result<Ways> make_ways(const ClientConfig& config, const config::JoinLink& link,
                       const Environment& environment) {
    auto trust = trust_of(link, config.ca_file);
    if (!trust) return pass(std::move(trust.error()));
    const auto choice = choice_of(config, link);
    Ways ways;
    for (const auto& server : addresses_of(config, link)) {
        auto proxy =
            config.proxy ? Result<Proxy>(config.proxy->copy()) : proxy_of_environment(environment, server);
        if (!proxy) return pass(std::move(proxy.error()));
        auto control = tls::ClientContext::make(*trust, server.host);
        if (!control) return pass(std::move(control.error()));
        auto outer = tls::ClientContext::make(tls::AnyServer{}, server.host, tls::Alpn::http_1_1);
        if (!outer) return pass(std::move(outer.error()));
        for (const bool websocket : {false, true}) {
            if (choice == (websocket ? WayChoice::direct : WayChoice::websocket)) continue;
            ways.push_back(
                std::make_shared<const Way>(Way{server, websocket, proxy->copy(), *control, *outer}));
        }
    }
    return ways;
}

}  // namespace tunnel::client
