#pragma once
// What stands between a client and its server in hard networks: handlers for a Service.

#include <string>

#include "tests/integration/support/service.hpp"

namespace tunnel::test {

// Sends what comes from either on to the other until both have ended; an end is passed on as an end, a reset
// as a reset. With `both` the first end ends both directions, as most proxies have it.
enum class AnEndEnds { its_direction, both };
void join(Peer& a, Peer& b, AnEndEnds ends = AnEndEnds::its_direction);

// Reads one HTTP head.
std::string read_head(Peer& peer);

// An HTTP proxy that does CONNECT. With a login (in base64) it asks for it; `refusal` is sent instead of a
// connection when it is not empty.
Service::Handler http_proxy(std::string login = "", std::string refusal = "",
                            AnEndEnds ends = AnEndEnds::its_direction);

// A SOCKS5 proxy, with a user and password unless they are empty. It resolves only "server.test", to
// loopback.
Service::Handler socks5_proxy(std::string user = "", std::string password = "");

// A firewall in front of one port that lets only what looks like a web browser's TLS through, and resets the
// rest.
Service::Handler web_only(Port upstream);

}  // namespace tunnel::test
