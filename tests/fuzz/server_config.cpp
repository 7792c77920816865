// server.toml.
#include "tunnel-server/config/server_config.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const config::ServerPaths paths{"/c/server.toml", "/c/server.crt", "/c/server.key", "/s/server.db",
                                    "/r/admin.sock"};
    const auto loaded = server::parse_server_config(text_of({data, size}), paths);
    if (!loaded) {
        fuzz::require(!loaded.error().empty(), "a refusal has a reason");
        fuzz::require(std::is_sorted(loaded.error().begin(), loaded.error().end()), "problems are sorted");
        for (const auto& problem : loaded.error()) {
            fuzz::require(!problem.message.empty() && problem.file == paths.config,
                          "a problem is told in full");
        }
        return 0;
    }
    fuzz::require(!loaded->listen.empty() && !loaded->bind.empty(), "a server listens somewhere");
    fuzz::require(!loaded->store.path.empty() && !loaded->admin.socket.empty(), "paths are filled in");
    fuzz::require(loaded->heartbeat.timeout >= 2 * loaded->heartbeat.interval, "heartbeats make sense");
    fuzz::require(server::settings_needing_restart(*loaded, *loaded).empty(), "a config equals itself");
    return 0;
}
