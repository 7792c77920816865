#pragma once
// Coroutines with an owner. Whoever spawns work keeps a TaskGroup, cancels it and awaits its end; nothing in
// the project runs detached but through this file. One thread: the group, its tasks and all calls belong to
// the thread of the executor it was made with.

#include <exception>
#include <functional>
#include <list>
#include <memory>

#include "common/net/asio.hpp"

namespace tunnel::net {

class TaskGroup {
  public:
    // `on_bug` is told of an exception that escaped a task, which is a bug; cancellation is none.
    using BugHandler = std::function<void(const std::exception&)>;
    TaskGroup(asio::any_io_executor executor, BugHandler on_bug);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    // Asserts that every task has ended: a task that outlived its group would use freed memory.
    ~TaskGroup();

    // Starts the task. After cancel() a new task is started and cancelled at its first wait.
    void spawn(awaitable<void> task);
    // Asks every task to end: its present wait on the network or a timer returns operation_aborted, and
    // further waits throw, up to this group's boundary.
    void cancel();
    // Returns when no task is left. Tasks spawned meanwhile are waited for too.
    awaitable<void> join();

    std::size_t size() const { return tasks_.size(); }
    asio::any_io_executor executor() const { return executor_; }

  private:
    using Tasks = std::list<asio::cancellation_signal>;
    void finished(Tasks::iterator task, const std::exception_ptr& error);

    asio::any_io_executor executor_;
    BugHandler on_bug_;
    Tasks tasks_;
    bool cancelled_ = false;
    asio::steady_timer empty_;  // cancelled when the last task ends
};

// For the one task that ends a group and so cannot belong to it. The caller keeps what it uses alive until it
// is done, and an exception from it ends the program.
void spawn_unowned(const asio::any_io_executor& executor, awaitable<void> task);

}  // namespace tunnel::net
