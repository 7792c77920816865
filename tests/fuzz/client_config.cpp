// client.toml, and the edit that puts a new join link into it.
#include "tunnel-client/config/client_config.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

const std::string file = "/c/client.toml";

config::JoinLink some_link() {
    return {
        "office", Secret(Bytes(config::client_secret_bytes, 0x42)), {"192.0.2.7", 7001}, config::SystemCa{}};
}

void check_problems(const std::vector<config::Problem>& problems) {
    fuzz::require(!problems.empty(), "a refusal has a reason");
    fuzz::require(std::is_sorted(problems.begin(), problems.end()), "problems are sorted");
    for (const auto& problem : problems)
        fuzz::require(!problem.message.empty() && problem.file == file, "a problem is told in full");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    const auto loaded = client::parse_client_config(text, file, client::Link::optional);
    if (!loaded) check_problems(loaded.error());
    if (loaded) {
        fuzz::require(loaded->heartbeat.timeout >= 2 * loaded->heartbeat.interval, "heartbeats make sense");
        for (const auto& mapping : loaded->mappings)
            fuzz::require(check_mapping(mapping).has_value(), "a loaded mapping is a good one");
    }

    const auto edited = client::replace_link(text, some_link(), file);
    if (!edited) {
        fuzz::require(!loaded, "a good file takes a new link");
        return 0;
    }
    const auto reloaded = client::parse_client_config(text_of(edited->reveal()), file);
    if (loaded) fuzz::require(reloaded.has_value(), "a good file stays good");
    if (reloaded)
        fuzz::require(reloaded->link && *reloaded->link == some_link(), "the new link is in the file");
    return 0;
}
