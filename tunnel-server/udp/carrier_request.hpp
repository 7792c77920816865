#pragma once
// What a worker asks for when datagrams need a data connection: it goes where visitors go who need one
// (WaitingVisitor), and comes back with a data connection of any worker, or without one.

#include <functional>
#include <optional>

#include "common/net/asio.hpp"
#include "tunnel-server/pool/ready_pool.hpp"
#include "tunnel-server/streams/assignment.hpp"

namespace tunnel::server {

class PostedCarrierRequest final : public CarrierRequest {
  public:
    // Called once, on `executor`: nothing when the request was refused or forgotten.
    using Done = std::function<void(std::optional<ReadyConnection>)>;
    PostedCarrierRequest(asio::any_io_executor executor, Done done)
        : executor_(std::move(executor)), done_(std::move(done)) {}
    PostedCarrierRequest(const PostedCarrierRequest&) = delete;
    PostedCarrierRequest& operator=(const PostedCarrierRequest&) = delete;
    ~PostedCarrierRequest() override {
        if (done_) asio::post(executor_, [done = std::move(done_)] { done(std::nullopt); });
    }
    void take(ReadyConnection connection) override {
        asio::post(executor_,
                   [done = std::exchange(done_, nullptr), connection = std::move(connection)]() mutable {
                       done(std::move(connection));
                   });
    }

  private:
    asio::any_io_executor executor_;
    Done done_;
};

}  // namespace tunnel::server
