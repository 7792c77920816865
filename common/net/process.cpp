#include "common/net/process.hpp"

#include <sys/resource.h>

#include <csignal>
#include <system_error>

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
constexpr std::string_view loop_hint =
    "this build needs io_uring(7): allow it (sysctl kernel.io_uring_disabled, the container's seccomp "
    "profile), or "
    "use a build without -DTUNNEL_IO_URING=ON";
#else
constexpr std::string_view loop_hint = "raise the limit of open files (LimitNOFILE, ulimit -n)";
#endif

Status check_event_loop() {
    try {
        asio::io_context context(1);
        const asio::steady_timer opens_what_it_stands_on(context);
        return {};
    } catch (const std::system_error& error) {
        return fail(Errc::unavailable, "cannot make an event loop ({}): {}", error.code().message(),
                    loop_hint);
    }
}

}  // namespace

Status prepare_process() {
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const auto set = awaited_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return check_event_loop();
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
