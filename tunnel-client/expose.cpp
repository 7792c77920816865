#include "tunnel-client/expose.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace tunnel::client {

namespace {

// The line a person waits for; again only when the address changes, as after a restart of the server.
class AddressPrinter {
  public:
    void print(const wire::MappingState& state) {
        if (state.public_address == printed_) return;
        printed_ = state.public_address;
        fmt::print("{}: {} -> {}\n", state.name, public_url(state.protocol, state.public_address),
                   state.service);
        std::fflush(stdout);
    }

  private:
    std::string printed_;
};

}  // namespace

Result<std::unique_ptr<Client>> make_expose(ClientConfig config, const MappingOptions& mapping,
                                            const Log& log) {
    config.mappings = {mapping};
    // One visitor-facing mapping needs no reload: its options stand on the command line.
    auto no_reload = []() -> Result<ClientConfig> {
        return fail(Errc::unavailable,
                    "expose takes its options from the command line: end it and start it anew");
    };
    const auto self = std::make_shared<Client*>(nullptr);
    const auto printer = std::make_shared<AddressPrinter>();
    Client::Events events;
    events.on_states = [self, printer](const std::vector<wire::MappingState>& states) {
        for (const auto& state : states) {
            if (state.state == "refused")
                (*self)->fail_with(
                    {Errc::conflict, fmt::format("the server refused the mapping: {}", state.error), 0});
            else if (state.state == "listening" && !state.public_address.empty())
                printer->print(state);
        }
    };
    auto client =
        Client::make(std::move(config), mapping.name, Stay::temporary, log, no_reload, std::move(events));
    if (client) *self = client->get();
    return client;
}

}  // namespace tunnel::client
