#pragma once
// `tunnel-client expose`: one mapping, live until Ctrl-C.

#include <string>

#include "common/mapping/mapping_options.hpp"
#include "tunnel-client/client.hpp"

namespace tunnel::client {

// Makes a client that serves only this mapping, under a slot of its own, so that the same machine's `run`
// goes on. Prints the public address on standard output once it listens; a mapping that the server refuses
// ends run() with the reason.
Result<std::unique_ptr<Client>> make_expose(ClientConfig config, const MappingOptions& mapping,
                                            const Log& log);

}  // namespace tunnel::client
