// The head of an HTTP message, as a proxy, a web server or a stranger on the tunnel port sends it.
#include "common/wire/http_head.hpp"

#include "common/wire/websocket.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

void check_request(BytesView head) {
    const auto request = wire::parse_http_request(head);
    if (!request) return;
    const auto again = wire::parse_http_request(view_of(wire::to_text(*request)));
    fuzz::require(again && *again == *request, "a request survives a round trip");
    const auto judged = wire::judge_websocket_request(*request);
    if (!judged) fuzz::require(judged.error().status >= 400, "a refusal has the status of one");
}

void check_response(BytesView head) {
    const auto response = wire::parse_http_response(head);
    if (!response) return;
    fuzz::require(response->fields.all.size() <= wire::max_http_fields, "fields are limited");
    const auto again = wire::parse_http_response(view_of(wire::to_text(*response)));
    fuzz::require(again && *again == *response, "a response survives a round trip");
    fuzz::require(!wire::judge_websocket_response(*response, "an accept that nobody can know"),
                  "an upgrade needs the right answer");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes(data, size);
    const auto head = wire::http_head_size(bytes);
    fuzz::require(head || size >= wire::max_http_head, "a short head is no error");
    if (!head || !*head) return 0;
    fuzz::require(**head <= wire::max_http_head, "a head is limited");
    const auto shorter = wire::http_head_size(bytes.first(**head - 1));
    fuzz::require(shorter && !*shorter, "a head without its last byte is incomplete");
    check_request(bytes.first(**head));
    check_response(bytes.first(**head));
    return 0;
}
