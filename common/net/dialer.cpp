#include "common/net/dialer.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "common/net/deadline.hpp"
#include "common/net/same_host.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

namespace {

constexpr auto head_start = std::chrono::milliseconds(250);

struct Attempt {
    Attempt(const asio::any_io_executor& executor, const tcp::endpoint& to) : address(to), socket(executor) {}
    tcp::endpoint address;
    tcp::socket socket;
    std::optional<std::error_code> result;
};

// What several attempts in flight tell the coroutine that waits for the first of them. Shared with the
// handlers, which may run after it has gone.
struct Race {
    explicit Race(const asio::any_io_executor& executor) : changed(executor) {}
    asio::steady_timer changed;  // cancelled whenever an attempt ends
    std::vector<std::shared_ptr<Attempt>> attempts;
    std::shared_ptr<Attempt> winner;
    std::size_t ended = 0;
};

// Ends what still runs, however the coroutine that waits for it ends: an attempt left to itself would keep
// its thread's loop, and so the program's end, waiting until the kernel gives up.
class RaceEnd {
  public:
    explicit RaceEnd(std::shared_ptr<Race> race) : race_(std::move(race)) {}
    RaceEnd(const RaceEnd&) = delete;
    RaceEnd& operator=(const RaceEnd&) = delete;
    ~RaceEnd() {
        // Each is closed once its handler has been told: on io_uring(7), Debian 12's Asio forgets that a
        // closed socket's operation is still to end, and lets it stand before those of the next socket.
        std::error_code ignored;
        for (auto& attempt : race_->attempts) attempt->socket.cancel(ignored);
    }

  private:
    std::shared_ptr<Race> race_;
};

void start_attempt(const std::shared_ptr<Race>& race, const tcp::endpoint& address) {
    auto attempt = std::make_shared<Attempt>(race->changed.get_executor(), address);
    race->attempts.push_back(attempt);
    attempt->socket.async_connect(address, [race, attempt](const std::error_code& error) {
        ++race->ended;
        attempt->result = error;
        if (!error && !race->winner) race->winner = attempt;
        race->changed.cancel();
    });
}

// What each address said, or that it said nothing.
tl::unexpected<Error> failure_of(const Race& race, Clock::duration limit) {
    std::vector<std::string> failures;
    for (const auto& attempt : race.attempts) {
        const auto said = attempt->result
                              ? attempt->result->message()
                              : fmt::format("no answer within {}",
                                            format_duration(std::chrono::duration_cast<Millis>(limit)));
        failures.push_back(fmt::format("{}: {}", to_text(attempt->address), said));
    }
    return fail(race.ended == 0 ? Errc::timeout : Errc::unavailable, "{}", fmt::join(failures, "; "));
}

// On this host a connection is there when connect(2) returns, although it says that it is under way.
std::optional<UniqueFd> dial_loopback(const tcp::endpoint& address) {
    if (!address.address().is_loopback()) return std::nullopt;
    UniqueFd fd(
        ::socket(address.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!fd) return std::nullopt;
    prepare_for_same_host(fd.get(), address);
    if (::connect(fd.get(), address.data(), static_cast<socklen_t>(address.size())) == 0) return fd;
    pollfd state{fd.get(), POLLOUT, 0};
    if (errno != EINPROGRESS || ::poll(&state, 1, 0) <= 0 || state.revents != POLLOUT) return std::nullopt;
    return fd;
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
    if (addresses.empty()) co_return fail(Errc::unavailable, "there is no address to connect to");
    if (auto fd = dial_loopback(addresses.front())) co_return std::move(*fd);
    const auto race = std::make_shared<Race>(co_await asio::this_coro::executor);
    const RaceEnd end_of_race(race);
    const auto end = Clock::now() + limit;
    while (!race->winner && Clock::now() < end) {
        const bool all_started = race->attempts.size() == addresses.size();
        if (all_started && race->ended == addresses.size()) break;
        if (!all_started) start_attempt(race, addresses[race->attempts.size()]);
        race->changed.expires_after(patience(end, race->attempts.size() < addresses.size()));
        co_await race->changed.async_wait(use_result);
    }
    if (!race->winner) co_return failure_of(*race, limit);
    std::error_code error;
    race->winner->socket.native_non_blocking(true, error);
    UniqueFd fd(race->winner->socket.release(error));
    if (error) co_return fail_errno(error.value(), "cannot use the new connection");
    co_return std::move(fd);
}

}  // namespace tunnel::net
