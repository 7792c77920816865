#include "common/net/process.hpp"

#include <sys/resource.h>

#include <csignal>

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

}  // namespace

void prepare_process() {
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const auto set = awaited_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
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
