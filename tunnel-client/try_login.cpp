#include "tunnel-client/try_login.hpp"

#include "common/core/secret.hpp"
#include "common/net/deadline.hpp"
#include "common/net/process.hpp"
#include "tunnel-client/ways/way_plan.hpp"

namespace tunnel::client {

namespace {

constexpr Millis goodbye_limit{1200};

// Logs in by one way and leaves again.
net::awaitable<ControlEnd> log_in_once(net::TaskGroup& bridges, std::shared_ptr<const ServerAccess> access,
                                       std::shared_ptr<const Way> way, CipherSetting cipher) {
    net::Resolver resolver(bridges.executor());
    ControlSession* running = nullptr;
    ControlSession::Handlers handlers;
    handlers.on_accepted = [&running](const wire::LoginAccepted&) {
        running->close(wire::Goodbye::Code::leaving, "the link works");
    };
    handlers.on_states = [](const wire::MappingStates&) {};
    handlers.on_ticket = [](const tls::TicketKey&) {};
    LoginOptions login{"join", random_u64(), true, offered_ciphers(cipher, cpu_has_aes())};
    ControlSession session(bridges, std::move(access), std::move(way), std::move(login), {},
                           std::move(handlers));
    running = &session;
    auto end = co_await session.run(resolver);
    co_return end;
}

net::awaitable<void> try_all_ways(net::TaskGroup& bridges, std::shared_ptr<const ServerAccess> access,
                                  CipherSetting cipher, Result<std::string>& worked) {
    WayPlan plan(access->ways);
    for (bool over = false; !over;) {
        const auto end = co_await log_in_once(bridges, access, plan.current(), cipher);
        const bool final = end.logged_in || end.goodbye || end.reason.code == Errc::version;
        over = final || plan.failed(end.reason, end.reached);
        if (end.logged_in)
            worked = to_string(*plan.current());
        else if (over)
            worked = pass(final ? end.reason : plan.summary());
    }
    const net::Deadline deadline(bridges.executor(), goodbye_limit, [&bridges] { bridges.cancel(); });
    co_await bridges.join();
}

}  // namespace

Result<std::string> try_login(std::shared_ptr<const ServerAccess> access, CipherSetting cipher) try {
    asio::io_context context(1);
    net::TaskGroup bridges(context.get_executor(), [](const std::exception&) {});
    Result<std::string> worked = fail(Errc::internal, "no way was tried");
    net::spawn_unowned(context.get_executor(), try_all_ways(bridges, std::move(access), cipher, worked));
    context.run();
    return worked;
} catch (const std::system_error& error) {
    return pass(net::event_loop_error(error));
}

}  // namespace tunnel::client
