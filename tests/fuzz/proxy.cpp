// Proxies as they stand in a config or in the environment, and NO_PROXY. A refusal must not repeat what may
// be the password.
#include "tunnel-client/config/proxy.hpp"

#include "common/wire/http_connect.hpp"
#include "common/wire/socks5.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    (void)client::names_server(text, {"vps.example.com", 7000});
    (void)client::names_server(text, {"2001:db8::1", 443});
    const auto proxy = client::parse_proxy(text);
    if (!proxy) {
        constexpr std::size_t telling = 16;
        if (size >= telling)
            fuzz::require(proxy.error().message.find(text) == std::string::npos, "an error quotes nothing");
        return 0;
    }
    if (proxy->kind == client::Proxy::Kind::none) return 0;
    fuzz::require(proxy->address.port != 0, "a proxy has a port");
    fuzz::require(
        proxy->user.size() <= wire::max_socks5_text && proxy->password.size() <= wire::max_socks5_text,
        "a login fits into SOCKS5");
    const auto password = text_of(proxy->password.reveal());
    const auto shown = client::to_string(*proxy);
    if (password.size() > proxy->address.host.size() + 6 && password.size() > 20)
        fuzz::require(shown.find(password) == std::string::npos, "a proxy's text tells no password");
    const auto request = wire::connect_request({"vps.example.com", 7000}, proxy->user, proxy->password);
    const auto head = wire::parse_http_request(request.reveal());
    fuzz::require(head.has_value(), "what is asked of a proxy is HTTP");
    fuzz::require(head->fields.all.size() <= 2, "a login adds one field and no more");
    return 0;
}
