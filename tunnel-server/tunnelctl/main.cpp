#include <csignal>
#include <exception>
#include <iostream>

#include "tunnel-server/tunnelctl/run.hpp"

int main(int argc, char** argv) {
    // A reader that is gone shows up as a failed write, which run() answers with exit code 1.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return tunnel::ctl::run(argc, argv, std::cout, std::cerr, tunnel::ctl::process_environment());
    } catch (const std::exception& error) {
        std::cerr << "tunnelctl: " << error.what() << '\n';
        return 1;
    }
}
