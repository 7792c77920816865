#include <sys/prctl.h>

#include <csignal>

#include "tests/bench/load/verbs.hpp"

int main(int argc, char** argv) {
    using namespace tunnel::bench;
    const Options options = parse_options(argc, argv);
    // Whoever started this process wants it gone when they are.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    if (options.verb == "service") return run_service(options);
    if (options.verb == "bulk") return run_bulk(options);
    if (options.verb == "rr") return run_rr(options);
    if (options.verb == "connect") return run_connect(options);
    if (options.verb == "first-byte") return run_first_byte(options);
    if (options.verb == "udp-service") return run_udp_service(options);
    if (options.verb == "udp-rr") return run_udp_rr(options);
    if (options.verb == "lossy") return run_lossy(options);
    return run_idle(options);
}
