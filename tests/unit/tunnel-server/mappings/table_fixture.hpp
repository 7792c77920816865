#pragma once
// A mapping table with real listeners on real worker threads, and a record of what it told its owner.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "common/net/unique_fd.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"

namespace tunnel::server {

// A port of 127.0.0.1 that nothing listened on a moment ago, below those that the kernel gives to outgoing
// connections.
Port free_port();
// Somebody else's program on that port.
net::UniqueFd occupy(Port port);
// Connects from 127.0.0.1; empty when refused.
net::UniqueFd visit(Port port);

// One of the admin's.
StoredMapping stored(const std::string& client, const std::string& name, Port port);

class MappingTableTest : public testing::Test {
  protected:
    MappingTableTest();
    ~MappingTableTest() override;

    MappingTable::Rules rules() const;
    const Mapping& at(const std::string& client, const std::string& name) const;
    MappingState state_of(const std::string& client, const std::string& name) const {
        return at(client, name).state;
    }
    // Declares as the client's `run`, connected.
    void declare(const std::string& client, const std::vector<wire::MappingSpec>& specs);
    const Mapping& add(const std::string& client, const std::string& name, Port port);
    // Connects once and waits until a worker has told which mapping the visitor came to.
    MappingKey visitor_of(Port port);

    std::vector<PortRange> allow{{1024, 65535}};
    Port tunnel_port = 0;
    std::vector<SeatKey> changes;
    std::vector<MappingKey> removed;
    std::vector<std::pair<MappingKey, Port>> chosen;
    ListBook lists{Log::none()};
    ClientAccess clients{Log::none(),
                         lists,
                         {[this](const std::string& client) { table->client_changed(client); },
                          [](const std::string&) {}, [](const std::string&, const MonthlyUse&) {}}};
    std::unique_ptr<MappingTable> table;

  private:
    net::WorkerPool workers_;
    std::mutex mutex_;
    std::vector<MappingKey> visitors_;
};

inline wire::MappingSpec spec(std::string name, Port tcp, std::string service = "127.0.0.1:22") {
    return {std::move(name), tcp, std::move(service), true, 0, {}};
}

}  // namespace tunnel::server
