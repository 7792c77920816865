#include "common/net/dialer.hpp"

#include <algorithm>
#include <memory>

#include "common/net/deadline.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

namespace {

constexpr auto head_start = std::chrono::milliseconds(250);

// What several attempts in flight tell the coroutine that waits for the first of them. Shared with the
// handlers, which may run after it has gone.
struct Race {
    explicit Race(const asio::any_io_executor& executor) : changed(executor) {}
    asio::steady_timer changed;  // cancelled whenever an attempt ends
    std::vector<std::shared_ptr<tcp::socket>> attempts;
    std::shared_ptr<tcp::socket> winner;
    std::size_t ended = 0;
    std::vector<std::string> failures;
};

void start_attempt(const std::shared_ptr<Race>& race, const tcp::endpoint& address) {
    auto socket = std::make_shared<tcp::socket>(race->changed.get_executor());
    race->attempts.push_back(socket);
    socket->async_connect(address, [race, socket, address](const std::error_code& error) {
        ++race->ended;
        if (!error && !race->winner)
            race->winner = socket;
        else if (error)
            race->failures.push_back(fmt::format("{}: {}", to_text(address), error.message()));
        race->changed.cancel();
    });
}

// How long until the next address gets its turn, or the whole time is over.
Clock::duration patience(TimePoint end, bool more_addresses) {
    const auto rest = end - Clock::now();
    return more_addresses ? std::min<Clock::duration>(rest, head_start) : rest;
}

}  // namespace

Resolver::Resolver(const asio::any_io_executor& executor, Clock::duration keep)
    : executor_(executor), keep_(keep) {}

awaitable<Result<Endpoints>> Resolver::resolve(HostPort address, Clock::duration limit) {
    if (parse_ip(address.host)) {
        auto endpoint = to_endpoint(address);
        if (!endpoint) co_return pass(endpoint.error());
        co_return Endpoints{*endpoint};
    }
    const auto found = cache_.find(address.host);
    const bool fresh = found != cache_.end() && Clock::now() - found->second.at < keep_;
    if (!fresh) {
        auto answer = co_await query(address.host, limit);
        if (answer)
            cache_[address.host] = {std::move(*answer), Clock::now()};
        else if (!cache_.contains(address.host))
            co_return pass(answer.error());
    }
    Endpoints endpoints;
    for (const auto& ip : cache_[address.host].addresses) endpoints.emplace_back(ip, address.port);
    co_return endpoints;
}

awaitable<Result<std::vector<asio::ip::address>>> Resolver::query(std::string host, Clock::duration limit) {
    // The query has its own resolver and outlives this coroutine if getaddrinfo(3) hangs: it cannot be
    // interrupted.
    struct Query {
        explicit Query(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}
        tcp::resolver resolver;
        asio::steady_timer done;
        std::error_code error = asio::error::timed_out;
        std::vector<asio::ip::address> addresses;
    };
    const auto query = std::make_shared<Query>(executor_);
    query->done.expires_after(limit);
    query->resolver.async_resolve(
        host, "", [query](const std::error_code& error, const tcp::resolver::results_type& found) {
            query->error = error;
            for (const auto& entry : found) query->addresses.push_back(entry.endpoint().address());
            query->done.cancel();
        });
    co_await query->done.async_wait(use_result);
    query->resolver.cancel();
    if (query->error == asio::error::timed_out)
        co_return fail(Errc::timeout,
                       "no name server told the address of \"{}\" in time: check this host's DNS", host);
    if (query->error || query->addresses.empty())
        co_return fail(Errc::unavailable,
                       "the name \"{}\" cannot be resolved ({}): check its spelling and this host's DNS",
                       host, query->error ? query->error.message() : "no address");
    co_return std::move(query->addresses);
}

awaitable<Result<UniqueFd>> dial(Endpoints addresses, Clock::duration limit) {
    const auto race = std::make_shared<Race>(co_await asio::this_coro::executor);
    const auto end = Clock::now() + limit;
    while (!race->winner && Clock::now() < end) {
        const bool all_started = race->attempts.size() == addresses.size();
        if (all_started && race->ended == addresses.size()) break;
        if (!all_started) start_attempt(race, addresses[race->attempts.size()]);
        const auto ended_before = race->ended;
        race->changed.expires_after(patience(end, race->attempts.size() < addresses.size()));
        if (race->ended == ended_before) co_await race->changed.async_wait(use_result);
    }
    std::error_code ignored;
    for (auto& attempt : race->attempts) {
        if (attempt != race->winner) attempt->close(ignored);
    }
    if (race->winner) {
        race->winner->native_non_blocking(true, ignored);
        UniqueFd fd(race->winner->release(ignored));
        race->winner.reset();
        if (!ignored) co_return std::move(fd);
    }
    if (race->failures.empty())
        co_return fail(Errc::timeout, "{} did not answer within {}",
                       addresses.empty() ? "?" : to_text(addresses.front()),
                       format_duration(std::chrono::duration_cast<Millis>(limit)));
    co_return fail(Errc::unavailable, "{}", fmt::join(race->failures, "; "));
}

}  // namespace tunnel::net
