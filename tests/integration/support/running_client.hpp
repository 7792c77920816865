#pragma once
// A client::Client on a thread of its own, with a client.toml that can be changed.

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "tests/integration/support/log_book.hpp"
#include "tunnel-client/client.hpp"

namespace tunnel::test {

class RunningClient {
  public:
    // `config` is the text of client.toml without the link. A slot makes it an `expose`.
    RunningClient(std::filesystem::path file, const std::string& link, const std::string& config,
                  LogBook& logs, const std::string& slot = "");
    RunningClient(const RunningClient&) = delete;
    RunningClient& operator=(const RunningClient&) = delete;
    // Stops without draining.
    ~RunningClient();

    // What the server said last of a mapping; an empty state when it said nothing.
    wire::MappingState state(const std::string& mapping) const;
    // Waits until the mapping listens; returns its public port, or 0 when it does not in time.
    Port listening(const std::string& mapping) const;

    void write_config(const std::string& config) const { write_link(link_, config); }
    // The same with another link.
    void write_link(const std::string& link, const std::string& config) const;
    void request_reload() { client_->request_reload(); }
    void request_stop() { client_->request_stop(); }
    bool stopped() const { return stopped_; }
    // Once stopped: the error that ended run(), if any.
    std::optional<Error> failure() const;

  private:
    std::filesystem::path file_;
    std::string link_;
    mutable std::mutex mutex_;
    std::map<std::string, wire::MappingState> states_;
    std::optional<Error> failure_;
    std::unique_ptr<client::Client> client_;
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

// One [[mapping]] of client.toml.
std::string mapping_toml(const std::string& name, const std::string& service, bool encrypt = true,
                         Port port = 0);

}  // namespace tunnel::test
