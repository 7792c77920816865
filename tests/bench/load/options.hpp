#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/load/socket.hpp"

namespace tunnel::bench {

// What one invocation was asked to do. Every number has a limit (options.cpp), so that a slip of the keyboard
// does not turn a measurement into an attack on the machine.
struct Options {
    std::string verb;
    Endpoint target;            // where visitors connect to; loopback only
    std::uint32_t streams = 1;  // bulk: parallel downloads
    std::uint32_t connections =
        0;                         // rr, connect, idle: kept, parallel or held connections; 0: the verb's own
    std::uint32_t size = 128;      // rr, udp-rr: bytes of a request and of its answer
    std::uint32_t flows = 16;      // udp-rr: sockets
    std::uint32_t in_flight = 4;   // udp-rr: datagrams of a flow that are under way
    std::uint32_t loss = 100;      // lossy: of 1000 packets so many are lost, in each direction
    std::uint32_t samples = 2000;  // first-byte: at most so many connections
    std::chrono::duration<double> seconds{3};  // how long the measured part lasts
    std::chrono::duration<double> max_seconds{
        3600};  // service, idle, lossy: the longest this process may live
};

// Reads the command line; prints what is wrong and how to use the program, and exits 2, when it cannot.
Options parse_options(int argc, char** argv);

}  // namespace tunnel::bench
