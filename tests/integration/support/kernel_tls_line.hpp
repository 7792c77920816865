#pragma once
// For running the same tests over kernel TLS, where the machine has it.

#include <cstdlib>
#include <string>

namespace tunnel::test {

// A line of server.toml or client.toml: TUNNEL_TEST_KERNEL_TLS is "auto" or "off".
inline std::string kernel_tls_line() {
    const char* choice = std::getenv("TUNNEL_TEST_KERNEL_TLS");
    return choice == nullptr ? "" : "kernel_tls = \"" + std::string(choice) + "\"\n";
}

}  // namespace tunnel::test
