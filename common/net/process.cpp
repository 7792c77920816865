#include "common/net/process.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <csignal>

#include "common/net/asio.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

namespace {

// Ends the thread; not sent by anybody else, as real-time signals have no meaning of their own.
int end_signal() {
    return SIGRTMIN;
}

sigset_t awaited_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGHUP, end_signal()}) ::sigaddset(&set, signal);
    return set;
}

#if defined(ASIO_HAS_IO_URING)
constexpr bool on_io_uring = true;
#else
constexpr bool on_io_uring = false;
#endif

std::string_view loop_hint(int error) {
    if (error == EMFILE || error == ENFILE) return "raise the limit of open files (LimitNOFILE, ulimit -n)";
    if (on_io_uring && error == ENOMEM)
        return "io_uring takes 2 MiB of locked memory for each thread: raise the limit (LimitMEMLOCK, ulimit "
               "-l), or set fewer workers";
    if (on_io_uring)
        return "this build needs io_uring(7): allow it (sysctl kernel.io_uring_disabled, the container's "
               "seccomp profile), or use a build without -DTUNNEL_IO_URING=ON";
    return "this host is out of some resource";
}

}  // namespace

void prepare_process() {
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const auto set = awaited_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Error event_loop_error(const std::system_error& thrown) {
    const auto& error = thrown.code();
    return {Errc::unavailable,
            fmt::format("cannot make an event loop ({}): {}", error.message(), loop_hint(error.value())),
            error.value()};
}

void unblock_signals() {
    const auto set = awaited_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

SignalThread::SignalThread(Actions actions) : actions_(std::move(actions)), thread_([this] { run(); }) {}

SignalThread::~SignalThread() {
    ::pthread_kill(thread_.native_handle(), end_signal());
    thread_.join();
}

void SignalThread::run() {
    const auto set = awaited_signals();
    for (;;) {
        int signal = 0;
        if (::sigwait(&set, &signal) != 0) continue;
        if (signal == end_signal()) return;
        if (signal == SIGHUP)
            actions_.reload();
        else
            actions_.stop();
    }
}

}  // namespace tunnel::net
