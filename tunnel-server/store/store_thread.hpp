#pragma once
// The store on a thread of its own, so that a slow disk never holds up a worker or the control thread.

#include <memory>
#include <thread>
#include <utility>

#include "common/net/asio.hpp"
#include "common/net/hop.hpp"
#include "tunnel-server/store/store.hpp"

namespace tunnel::server {

class StoreThread {
  public:
    explicit StoreThread(Store store);
    StoreThread(const StoreThread&) = delete;
    StoreThread& operator=(const StoreThread&) = delete;
    // Finishes what was asked before and closes the store.
    ~StoreThread();

    // auto pending = store.run([args](Store& store) { return store.add_client(...); });
    // auto result = co_await std::move(pending);  -> that result, on the caller's thread.
    template <class Function>
    auto run(Function function) {
        return net::ask(
            context_.get_executor(),
            [store = store_.get(), function = std::move(function)]() mutable { return function(*store); });
    }
    // The same without waiting for the result, in the order of the calls.
    template <class Function>
    void post(Function function) {
        asio::post(context_,
                   [store = store_.get(), function = std::move(function)]() mutable { function(*store); });
    }

  private:
    std::unique_ptr<Store> store_;
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> keep_running_;
    std::thread thread_;
};

}  // namespace tunnel::server
