// What a SOCKS5 proxy says: the first byte chooses our login, the rest is the proxy's.
#include "common/wire/socks5.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const bool with_login = (input.byte() & 1) != 0;
    constexpr std::string_view password = "a-telling-password";
    wire::Socks5Client client({"vps.example.com", 7000}, with_login ? "user" : "", Secret(view_of(password)));
    int steps = 0;
    while (!client.done()) {
        const auto said = client.take_output();
        fuzz::require(steps > 0 || !said.empty(), "the client speaks first");
        fuzz::require(client.wants() > 0 && client.wants() <= 257, "the proxy's words are limited");
        const auto bytes = input.take(client.wants());
        if (bytes.size() < client.wants()) return 0;
        if (auto ok = client.feed(bytes); !ok) {
            fuzz::require(ok.error().code != Errc::internal, "the driver keeps its turn");
            fuzz::require(ok.error().message.find(password) == std::string::npos,
                          "an error tells no password");
            return 0;
        }
        fuzz::require(++steps <= 4, "a dialogue has four steps at most");
    }
    fuzz::require(client.take_output().empty(), "after the end nothing is said");
    return 0;
}
