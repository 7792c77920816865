#pragma once
// What a long-running program sets up once: signals and limits.

#include <functional>
#include <system_error>
#include <thread>

#include "common/core/result.hpp"

namespace tunnel::net {

// Ignores SIGPIPE, raises the limit of open files, keeps core files from being written (they would hold
// secrets), and blocks the signals that SignalThread waits for in this thread and those it will start. Call
// before any thread runs.
void prepare_process();

// What is wrong when making the first event loops threw, in a sentence that says what to do. They stand on
// epoll(7), or on io_uring(7) in a build with TUNNEL_IO_URING; a container or a limit may forbid either.
Error event_loop_error(const std::system_error& thrown);

// Undoes the blocking, for a verb that has no SignalThread: Ctrl-C then ends it as usual.
void unblock_signals();

// Waits for SIGTERM and SIGINT (stop) and SIGHUP (reload), and calls back on its own thread. signal handlers
// run no code of ours.
class SignalThread {
  public:
    struct Actions {
        std::function<void()> stop;
        std::function<void()> reload;
    };
    explicit SignalThread(Actions actions);
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;
    ~SignalThread();

  private:
    void run();
    Actions actions_;
    std::thread thread_;
};

}  // namespace tunnel::net
