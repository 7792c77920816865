#include <poll.h>
#include <unistd.h>

#include <array>

#include "tests/bench/load/held.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {

int run_idle(const Options& options) {
    const std::size_t count = options.connections == 0 ? 2000 : options.connections;
    const auto start = Clock::now();
    const auto deadline = start + std::chrono::duration_cast<Clock::duration>(options.max_seconds);
    const auto connections =
        open_echoing(options.target, count, std::min(deadline, start + std::chrono::seconds(60)));
    Json()
        .add("case", "idle")
        .add("open", std::uint64_t{connections.size()})
        .add("seconds", Seconds(Clock::now() - start).count())
        .print();
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (Clock::now() < deadline && ::poll(&input, 1, 1000) == 0) {
    }
    const auto alive = still_echoing(connections, Clock::now() + std::chrono::seconds(15));
    Json().add("case", "idle").add("alive", std::uint64_t{alive}).print();
    return alive == connections.size() ? 0 : 1;
}

}  // namespace tunnel::bench
