// Join links as they are pasted. A refusal must not repeat what may be the secret.
#include "common/config/join_link.hpp"

#include <cctype>

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

// No run of twenty characters that could be part of a secret stands in both.
void require_nothing_quoted(std::string_view text, std::string_view message) {
    constexpr std::size_t telling = 20;
    const auto secret_character = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_';
    };
    for (std::size_t i = 0; i + telling <= text.size(); ++i) {
        const auto run = text.substr(i, telling);
        if (!std::all_of(run.begin(), run.end(), secret_character)) continue;
        fuzz::require(message.find(run) == std::string_view::npos, "an error quotes nothing of a join link");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    const auto link = config::parse_join_link(text);
    if (!link) {
        require_nothing_quoted(text, link.error().message);
        return 0;
    }
    fuzz::require(link->secret.size() == config::client_secret_bytes, "a secret has its size");
    fuzz::require(link->server.port != 0, "a server has a port");
    const auto again = config::parse_join_link(text_of(config::to_text(*link).reveal()));
    fuzz::require(again && *again == *link, "a join link survives a round trip");
    return 0;
}
