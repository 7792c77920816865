#include "tests/bench/load/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tunnel::bench {
namespace {

constexpr std::string_view kUsage =
    R"(bench-load: the service and the visitors of the benchmark, on loopback addresses only.

  bench-load service [--max-seconds S]
      Listens on a free port of 127.0.0.1, prints {"port": N}, serves until stdin ends. A connection's first
      byte says what it wants: 'e' echoes everything, this byte too; 'b' and 8 bytes of length (big-endian, 0:
      endless) download.
  bench-load bulk       --target ADDR:PORT [--streams 1] [--seconds 3]
  bench-load rr         --target ADDR:PORT [--connections 32] [--size 128] [--seconds 3]
  bench-load connect    --target ADDR:PORT [--connections 16] [--seconds 3]
  bench-load first-byte --target ADDR:PORT [--samples 2000] [--seconds 3]
  bench-load idle       --target ADDR:PORT [--connections 2000] [--max-seconds S]
      Opens them, checks one echoed byte on each, prints a line, holds them until stdin has a line or ends,
      checks each again and prints a second line.

  bench-load udp-service [--max-seconds S]
      Echoes datagrams on a free port of 127.0.0.1, prints {"port": N}, serves until stdin ends.
  bench-load udp-rr     --target ADDR:PORT [--flows 16] [--in-flight 4] [--size 128] [--seconds 3]
  bench-load lossy      --target ADDR:PORT [--loss 100] [--max-seconds S]
      Hands on what comes to a free port of 127.0.0.1, by TCP and UDP, prints {"port": N}, until stdin ends. Of
      1000 UDP packets it loses so many, in each direction.

Each prints JSON, one object a line. Exit codes: 0 done, 1 failed, 2 wrong usage.
)";

constexpr std::array<std::string_view, 9> kVerbs = {
    "service", "bulk", "rr", "connect", "first-byte", "idle", "udp-service", "udp-rr", "lossy"};

[[noreturn]] void refuse(const std::string& why) {
    std::fprintf(stderr, "bench-load: %s\n\n%.*s", why.c_str(), static_cast<int>(kUsage.size()),
                 kUsage.data());
    std::exit(2);
}

template <typename Number>
Number number(std::string_view name, std::string_view text, Number low, Number high) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
        refuse(std::string(name) + " wants a number from " + std::to_string(low) + " to " +
               std::to_string(high) + ", not '" + std::string(text) + "'");
    }
    return value;
}

void apply(Options& options, std::string_view name, std::string_view value) {
    if (name == "--target") {
        std::string why;
        const auto endpoint = parse_loopback(value, why);
        if (!endpoint) refuse(why);
        options.target = *endpoint;
    } else if (name == "--streams") {
        options.streams = number<std::uint32_t>(name, value, 1, 1000);
    } else if (name == "--connections") {
        options.connections = number<std::uint32_t>(name, value, 1, 20000);
    } else if (name == "--size") {
        options.size = number<std::uint32_t>(name, value, 16, 65536);
    } else if (name == "--flows") {
        options.flows = number<std::uint32_t>(name, value, 1, 10000);
    } else if (name == "--in-flight") {
        options.in_flight = number<std::uint32_t>(name, value, 1, 1000);
    } else if (name == "--loss") {
        options.loss = number<std::uint32_t>(name, value, 0, 1000);
    } else if (name == "--samples") {
        options.samples = number<std::uint32_t>(name, value, 1, 1000000);
    } else if (name == "--seconds") {
        options.seconds = std::chrono::duration<double>(number<double>(name, value, 0.05, 600));
    } else if (name == "--max-seconds") {
        options.max_seconds = std::chrono::duration<double>(number<double>(name, value, 1, 86400));
    } else {
        refuse("there is no option " + std::string(name));
    }
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    if (argc < 2) refuse("say what to do");
    options.verb = argv[1];
    if (options.verb == "--help" || options.verb == "-h") {
        std::fwrite(kUsage.data(), 1, kUsage.size(), stdout);
        std::exit(0);
    }
    if (std::find(kVerbs.begin(), kVerbs.end(), options.verb) == kVerbs.end()) {
        refuse("there is no verb '" + options.verb + "'");
    }
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc) refuse(std::string(argv[i]) + " wants a value");
        apply(options, argv[i], argv[i + 1]);
    }
    if (options.verb != "service" && options.verb != "udp-service" && options.target.length == 0) {
        refuse(options.verb + " wants --target ADDR:PORT");
    }
    return options;
}

}  // namespace tunnel::bench
