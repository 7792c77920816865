#include "tests/unit/tunnel-server/mappings/table_fixture.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>

#include "common/core/secret.hpp"
#include "common/net/task_group.hpp"

namespace tunnel::server {

namespace {

sockaddr_in loopback(Port port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

net::UniqueFd stream_socket() {
    return net::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

bool bind_and_listen(int fd, Port port) {
    const auto address = loopback(port);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(fd, 8) == 0;
}

}  // namespace

StoredMapping stored(const std::string& client, const std::string& name, Port port) {
    StoredMapping mapping;
    mapping.client = client;
    mapping.options.name = name;
    mapping.options.endpoint.ports = {port, port};
    mapping.options.service = *parse_service("127.0.0.1:22");
    return mapping;
}

Port free_port() {
    for (int tries = 0; tries < 1000; ++tries) {
        const auto port = static_cast<Port>(10'000 + random_u64() % 20'000);
        const auto probe = stream_socket();
        if (bind_and_listen(probe.get(), port)) return port;
    }
    throw std::runtime_error("this machine has no free port");
}

net::UniqueFd occupy(Port port) {
    auto fd = stream_socket();
    if (!bind_and_listen(fd.get(), port)) throw std::runtime_error("cannot occupy the port");
    return fd;
}

net::UniqueFd visit(Port port) {
    auto fd = stream_socket();
    const auto address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
    return fd;
}

MappingTableTest::MappingTableTest() : workers_(2, Log::none()) {
    workers_.start();
    MappingTable::Hooks hooks;
    hooks.on_visitor = [this](net::Worker&, const std::shared_ptr<const Route>& route, const net::Accepted&) {
        const std::lock_guard lock(mutex_);
        visitors_.push_back(route->mapping);
    };
    hooks.on_change = [this](const SeatKey& seat) { changes.push_back(seat); };
    hooks.on_removed = [this](const MappingKey& key) { removed.push_back(key); };
    hooks.on_port_chosen = [this](const MappingKey& key, Port port) { chosen.emplace_back(key, port); };
    table = std::make_unique<MappingTable>(workers_, Log::none(), rules(),
                                           MappingTable::Access{lists, clients}, std::move(hooks));
}

MappingTableTest::~MappingTableTest() {
    table.reset();
    asio::io_context context;
    net::spawn_unowned(context.get_executor(), workers_.stop());
    context.run();
}

MappingTable::Rules MappingTableTest::rules() const {
    return {{*parse_ip("127.0.0.1")},
            allow,
            [this](Port port) { return port == tunnel_port; },
            "vps.example.com"};
}

const Mapping& MappingTableTest::at(const std::string& client, const std::string& name) const {
    const auto* mapping = table->get({client, name});
    if (mapping == nullptr) throw std::runtime_error("no mapping " + client + "/" + name);
    return *mapping;
}

void MappingTableTest::declare(const std::string& client, const std::vector<wire::MappingSpec>& specs) {
    table->set_presence({client, ""}, Presence::connected);
    table->declare({client, ""}, specs);
}

const Mapping& MappingTableTest::add(const std::string& client, const std::string& name, Port port) {
    return table->add(stored(client, name, port));
}

MappingKey MappingTableTest::visitor_of(Port port) {
    const auto visitor = visit(port);
    if (!visitor) return {};
    // Nobody keeps the accepted socket, so its end tells that the handler has run.
    pollfd end{visitor.get(), POLLIN, 0};
    if (::poll(&end, 1, 5000) != 1) return {};
    const std::lock_guard lock(mutex_);
    return visitors_.empty() ? MappingKey() : visitors_.back();
}

}  // namespace tunnel::server
