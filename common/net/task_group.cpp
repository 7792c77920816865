#include "common/net/task_group.hpp"

#include <cstdlib>

namespace tunnel::net {

TaskGroup::TaskGroup(asio::any_io_executor executor, BugHandler on_bug)
    : executor_(std::move(executor)), on_bug_(std::move(on_bug)), empty_(executor_) {
    empty_.expires_at(asio::steady_timer::time_point::max());
}

TaskGroup::~TaskGroup() {
    if (!tasks_.empty()) std::abort();
}

void TaskGroup::spawn(awaitable<void> task) {
    const auto it = tasks_.emplace(tasks_.end());
    asio::co_spawn(executor_, std::move(task),
                   asio::bind_cancellation_slot(
                       it->slot(), [this, it](const std::exception_ptr& error) { finished(it, error); }));
    if (cancelled_) asio::post(executor_, [this] { cancel(); });
}

void TaskGroup::finished(Tasks::iterator task, const std::exception_ptr& error) {
    tasks_.erase(task);
    if (tasks_.empty()) empty_.cancel();
    if (!error) return;
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& e) {
        if (e.code() != asio::error::operation_aborted) on_bug_(e);
    } catch (const std::exception& e) {
        on_bug_(e);
    }
}

void TaskGroup::cancel() {
    cancelled_ = true;
    for (auto it = tasks_.begin(); it != tasks_.end();) {
        // The signal may end the task at once and so erase it.
        auto& signal = *it++;
        signal.emit(asio::cancellation_type::terminal);
    }
}

awaitable<void> TaskGroup::join() {
    while (!tasks_.empty()) co_await empty_.async_wait(use_result);
}

void spawn_unowned(const asio::any_io_executor& executor, awaitable<void> task) {
    asio::co_spawn(executor, std::move(task), [](const std::exception_ptr& error) {
        if (error) std::rethrow_exception(error);
    });
}

}  // namespace tunnel::net
