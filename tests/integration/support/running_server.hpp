#pragma once
// A server::Server on a thread of its own, in a folder of its own, with its admin socket.

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "proto/admin.pb.h"
#include "tests/integration/support/log_book.hpp"
#include "tunnel-server/server.hpp"

namespace tunnel::test {

class RunningServer {
  public:
    // `options` are lines of server.toml: first top-level keys, then sections. Makes key, certificate and
    // store unless the folder has them. Returns when the server is ready; throws when it cannot be.
    RunningServer(const std::filesystem::path& folder, const std::string& options, LogBook& logs);
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;
    // Stops without draining.
    ~RunningServer();

    Port port() const { return server_->tunnel_port(); }
    // The answer, an AdminError included.
    proto::AdminResponse ask(const proto::AdminRequest& request) const;

    // Another server.toml, which request_reload() reads.
    void write_config(const std::string& options) const;
    void request_reload() { server_->request_reload(); }
    void request_stop() { server_->request_stop(); }
    bool stopped() const { return stopped_; }

  private:
    // Not of the ephemeral range: for UDP it may be taken there by one of another test's thousands of flows.
    const Port port_;
    config::ServerPaths paths_;
    std::unique_ptr<server::Server> server_;
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

}  // namespace tunnel::test
