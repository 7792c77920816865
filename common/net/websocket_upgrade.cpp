#include "common/net/websocket_upgrade.hpp"

#include "common/core/base64.hpp"
#include "common/tls/websocket_accept.hpp"
#include "common/wire/websocket.hpp"

namespace tunnel::net {

awaitable<Status> ask_for_websocket(OuterStream& outer, std::string host) {
    std::array<Byte, 16> nonce{};
    fill_random(nonce);
    const auto key = base64_encode(nonce);
    const auto request = wire::to_text(wire::websocket_request(host, key));
    auto sent = co_await outer.write(view_of(request));
    if (!sent) co_return sent;
    const auto head = co_await outer.read_http_head();
    if (!head) co_return pass(head.error());
    const auto response = wire::parse_http_response(*head);
    if (!response) co_return pass(response.error());
    co_return wire::judge_websocket_response(*response, tls::websocket_accept(key));
}

awaitable<Result<wire::HttpRequest>> answer_websocket(OuterStream& outer) {
    const auto head = co_await outer.read_http_head();
    if (!head) co_return pass(head.error());
    auto request = wire::parse_http_request(*head);
    if (!request) co_return pass(request.error());
    const auto key = wire::judge_websocket_request(*request);
    const auto answer =
        wire::to_text(key ? wire::websocket_response(tls::websocket_accept(*key)) : key.error());
    auto sent = co_await outer.write(view_of(answer));
    if (!sent) co_return pass(sent.error());
    if (!key)
        co_return fail(Errc::protocol, "no WebSocket upgrade for this server: answered {} {}",
                       key.error().status, key.error().reason);
    co_return std::move(*request);
}

}  // namespace tunnel::net
