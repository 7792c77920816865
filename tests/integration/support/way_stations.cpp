#include "tests/integration/support/way_stations.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/net/socket.hpp"
#include "common/wire/http_head.hpp"

namespace tunnel::test {

namespace {

// One read and what it means for the other side. False when nothing more comes from `from`.
bool pass_on(Peer& from, Peer& to, bool& broken) {
    Bytes buffer(64 * 1024);
    const auto n = ::recv(from.fd(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
        broken = !to.send(BytesView(buffer).first(static_cast<std::size_t>(n)));
        return !broken;
    }
    broken = n < 0;
    if (!broken) to.finish();
    return false;
}

Peer connect_to(const HostPort& target) {
    return Peer::connect(target.port);
}

}  // namespace

void join(Peer& a, Peer& b, AnEndEnds ends) {
    bool a_open = true;
    bool b_open = true;
    bool broken = false;
    while ((a_open || b_open) && !broken) {
        pollfd both[2] = {{a_open ? a.fd() : -1, POLLIN, 0}, {b_open ? b.fd() : -1, POLLIN, 0}};
        constexpr int limit_ms = 60'000;
        if (::poll(both, 2, limit_ms) <= 0) break;
        if (both[0].revents != 0) a_open = pass_on(a, b, broken);
        if (both[1].revents != 0 && !broken) b_open = pass_on(b, a, broken);
        if (ends == AnEndEnds::both && !(a_open && b_open)) break;
    }
    if (!broken) return;
    // Whoever owns them closes them; one of them is a Service's, which may interrupt it until then.
    net::set_reset_on_close(a.fd(), true);
    net::set_reset_on_close(b.fd(), true);
}

std::string read_head(Peer& peer) {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
        const auto next = peer.receive_text(1);
        if (next.empty()) break;
        head += next;
    }
    return head;
}

Service::Handler http_proxy(std::string login, std::string refusal, AnEndEnds ends) {
    return [login, refusal, ends](Peer& client) {
        const auto request = wire::parse_http_request(view_of(read_head(client)));
        if (!request) return;
        const auto shown = request->fields.find("Proxy-Authorization");
        if (!login.empty() && shown != "Basic " + login) {
            client.send(
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic "
                "realm=\"x\"\r\n\r\n");
            return;
        }
        if (!refusal.empty()) {
            client.send(refusal);
            return;
        }
        const auto target = parse_host_port(request->target);
        if (!target || request->method != "CONNECT") return;
        auto server = connect_to(*target);
        client.send("HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n");
        join(client, server, ends);
    };
}

Service::Handler socks5_proxy(std::string user, std::string password) {
    return [user, password](Peer& client) {
        const auto greeting = client.receive(2);
        if (greeting.size() < 2) return;
        const auto methods = client.receive(greeting[1]);
        const Byte wanted = user.empty() ? 0 : 2;
        const bool offered = std::find(methods.begin(), methods.end(), wanted) != methods.end();
        client.send(Bytes{5, offered ? wanted : Byte{0xff}});
        if (!offered) return;
        if (wanted == 2) {
            const auto user_size = client.receive(2);
            const auto name = client.receive_text(user_size.at(1));
            const auto password_size = client.receive(1);
            const auto shown = client.receive_text(password_size.at(0));
            const bool good = name == user && shown == password;
            client.send(Bytes{1, good ? Byte{0} : Byte{1}});
            if (!good) return;
        }
        const auto request = client.receive(4);
        if (request.size() < 4) return;
        if (request[3] == 1) (void)client.receive(4);
        if (request[3] == 3 && client.receive_text(client.receive(1).at(0)) != "server.test") {
            client.send(Bytes{5, 4, 0, 1, 0, 0, 0, 0, 0, 0});
            return;
        }
        const auto port = client.receive(2);
        auto server = connect_to({"127.0.0.1", get_be16(port)});
        client.send(Bytes{5, 0, 0, 1, 127, 0, 0, 1, 0, 0});
        join(client, server);
    };
}

Service::Handler web_only(Port upstream) {
    return [upstream](Peer& client) {
        const auto first = client.receive_some(4096);
        if (text_of(first).find("http/1.1") == std::string_view::npos) {
            net::set_reset_on_close(client.fd(), true);
            return;
        }
        auto server = Peer::connect(upstream);
        server.send(first);
        join(client, server);
    };
}

}  // namespace tunnel::test
