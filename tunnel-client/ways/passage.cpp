#include "tunnel-client/ways/passage.hpp"

#include "common/net/deadline.hpp"
#include "common/net/loopback_pair.hpp"
#include "common/net/outer_stream.hpp"
#include "common/net/websocket_bridge.hpp"
#include "common/net/websocket_upgrade.hpp"
#include "common/wire/http_connect.hpp"
#include "common/wire/socks5.hpp"

namespace tunnel::client {

namespace {

constexpr Seconds passage_limit{10};
constexpr Port https_port = 443;

net::awaitable<Status> ask_http_proxy(net::OuterStream& outer, const Way& way) {
    const auto request = wire::connect_request(way.server, way.proxy.user, way.proxy.password);
    auto sent = co_await outer.write(request.reveal());
    if (!sent) co_return sent;
    const auto head = co_await outer.read_http_head();
    if (!head) co_return pass(head.error());
    const auto response = wire::parse_http_response(*head);
    if (!response) co_return pass(response.error());
    co_return wire::judge_connect_response(*response, way.server, !way.proxy.user.empty());
}

net::awaitable<Status> ask_socks5_proxy(net::OuterStream& outer, const Way& way) {
    wire::Socks5Client dialogue(way.server, way.proxy.user, way.proxy.password);
    while (!dialogue.done()) {
        const auto output = dialogue.take_output();
        auto ok = co_await outer.write(output.reveal());
        if (!ok) co_return ok;
        Bytes answer(dialogue.wants());
        ok = co_await outer.read_exactly(answer);
        if (!ok) co_return ok;
        ok = dialogue.feed(answer);
        if (!ok) co_return ok;
    }
    co_return Status();
}

net::awaitable<Status> pass_proxy(net::OuterStream& outer, const Way& way) {
    Status ok;
    if (way.proxy.kind == Proxy::Kind::http)
        ok = co_await ask_http_proxy(outer, way);
    else
        ok = co_await ask_socks5_proxy(outer, way);
    if (!ok) co_return fail(ok.error().code, "{}: {}", to_string(way.proxy), ok.error().message);
    co_return Status();
}

std::string host_field(const HostPort& server) {
    const auto text = to_string(server);
    return server.port == https_port ? text.substr(0, text.rfind(':')) : text;
}

net::awaitable<Status> enter_websocket(net::OuterStream& outer, const Way& way) {
    auto session = tls::Session::client(way.outer);
    auto ok = co_await outer.start_tls(std::move(session));
    if (!ok) co_return ok;
    ok = co_await net::ask_for_websocket(outer, host_field(way.server));
    co_return ok;
}

net::awaitable<void> run_bridge(net::OuterStream outer, net::UniqueFd local, net::Liveness liveness) {
    net::WebSocketBridge bridge(std::move(outer), std::move(local), wire::End::client, liveness);
    // Who uses the other end is told by a reset.
    (void)co_await bridge.run();
}

}  // namespace

net::awaitable<Result<net::UniqueFd>> go(std::shared_ptr<const Way> way, net::UniqueFd fd,
                                         net::TaskGroup& bridges, net::Liveness liveness) {
    if (way->is_plain()) co_return std::move(fd);
    net::set_no_delay(fd.get());
    net::OuterStream outer(bridges.executor(), std::move(fd));
    {
        const net::Deadline deadline(bridges.executor(), passage_limit,
                                     [&outer] { outer.socket().cancel(); });
        Status ok;
        if (way->proxy.kind != Proxy::Kind::none) ok = co_await pass_proxy(outer, *way);
        if (!ok && deadline.expired())
            co_return fail(Errc::timeout,
                           "no answer from {} within {}: is it a proxy of that kind, and does it reach {}?",
                           to_string(way->proxy), format_duration(passage_limit), to_string(way->server));
        if (ok && way->websocket) ok = co_await enter_websocket(outer, *way);
        if (!ok && deadline.expired())
            co_return fail(
                Errc::timeout,
                "{} did not take a WebSocket connection within {}: is that the tunnel port, or a web "
                "server in front of it?",
                to_string(way->server), format_duration(passage_limit));
        if (!ok) co_return pass(ok.error());
    }
    if (!way->websocket) co_return outer.release();
    auto pair = net::make_loopback_pair();
    if (!pair) co_return pass(pair.error());
    bridges.spawn(run_bridge(std::move(outer), std::move(pair->ours), liveness));
    co_return std::move(pair->theirs);
}

}  // namespace tunnel::client
