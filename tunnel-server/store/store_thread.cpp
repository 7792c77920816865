#include "tunnel-server/store/store_thread.hpp"

namespace tunnel::server {

StoreThread::StoreThread(Store store)
    : store_(std::make_unique<Store>(std::move(store))),
      keep_running_(context_.get_executor()),
      thread_([this] { context_.run(); }) {}

StoreThread::~StoreThread() {
    keep_running_.reset();
    thread_.join();
}

}  // namespace tunnel::server
