#pragma once
// Whether a join link works, before it is saved. Any thread; blocks.

#include <memory>
#include <string>

#include "common/core/cipher.hpp"
#include "common/core/result.hpp"
#include "tunnel-client/control/control_session.hpp"

namespace tunnel::client {

// Logs in once, by the first way that works, and leaves again: by which way. The error tells what each way
// said.
Result<std::string> try_login(std::shared_ptr<const ServerAccess> access, CipherSetting cipher);

}  // namespace tunnel::client
