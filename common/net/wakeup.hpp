#pragma once
// Where one coroutine waits for something that happens on its own thread. It goes on within the call that
// tells it, while a timer that is cancelled would take it a turn of the io_context later.

#include <memory>
#include <utility>

#include "common/net/asio.hpp"

namespace tunnel::net {

class Wakeup {
  public:
    explicit Wakeup(asio::io_context& context) : context_(context) {}
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    // Until wake(), cancel() or the end of the task. One at a time.
    awaitable<void> wait() {
        return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            [this](auto handler) { begin(std::move(handler)); }, asio::use_awaitable);
    }
    // Nothing when nobody waits. Whoever waits may destroy this before the call returns.
    void wake() {
        if (const auto waiting = std::move(waiting_)) waiting->go_on();
    }
    // In a turn of its own.
    void cancel() {
        if (!waiting_) return;
        asio::post(context_, [waiting = std::move(waiting_)] { waiting->go_on(); });
    }

  private:
    class Waiting {
      public:
        Waiting() = default;
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        virtual ~Waiting() = default;
        virtual void go_on() = 0;
    };
    template <class Handler>
    class Held final : public Waiting {
      public:
        explicit Held(Handler handler) : handler_(std::move(handler)) {}
        void go_on() override {
            asio::get_associated_cancellation_slot(handler_).clear();
            auto handler = std::move(handler_);
            handler();
        }

      private:
        Handler handler_;
    };
    template <class Handler>
    void begin(Handler handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { cancel(); });
        waiting_ = std::make_unique<Held<Handler>>(std::move(handler));
    }

    asio::io_context& context_;
    std::unique_ptr<Waiting> waiting_;
};

}  // namespace tunnel::net
