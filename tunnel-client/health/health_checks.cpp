#include "tunnel-client/health/health_checks.hpp"

#include <sys/socket.h>

#include <utility>

#include "common/core/version.hpp"
#include "common/mapping/endpoint.hpp"
#include "common/net/deadline.hpp"
#include "common/net/stream_io.hpp"
#include "common/wire/http_head.hpp"
#include "tunnel-client/health/health_tracker.hpp"

namespace tunnel::client {

struct HealthChecks::Running {
    Running(const asio::any_io_executor& executor, CheckedService what, HealthCheck how)
        : service(std::move(what)),
          check(std::move(how)),
          tracker(check.rise, check.fall),
          pause(executor, asio::steady_timer::time_point::max()) {}
    const CheckedService service;
    const HealthCheck check;
    HealthTracker tracker;
    asio::steady_timer pause;
    bool stopped = false;
    bool known = false;
    bool up = false;
    std::string reason;
};

namespace {

bool expected(const HealthCheck& check, unsigned status) {
    return check.status == 0 ? status >= 200 && status < 400 : status == check.status;
}

std::string expected_text(const HealthCheck& check) {
    return check.status == 0 ? "200 to 399" : std::to_string(check.status);
}

// For the Host field: a path is no host, and of a range the first port is checked.
std::string host_of(const std::string& service) {
    const auto address = parse_service(service);
    if (!address || address->is_unix()) return "localhost";
    return to_string(address->at(0));
}

// A fresh socket's buffer holds it.
Status send_proxy_header(int fd, wire::ProxyVersion version) {
    wire::ProxyHeader header;
    header.version = version;
    header.local = true;
    const auto bytes = wire::encode(header);
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
        static_cast<ssize_t>(bytes.size()))
        return {};
    return fail(Errc::io, "the service closed before it got the PROXY header");
}

}  // namespace

net::awaitable<Status> check_http(net::UniqueFd fd, std::string host, HealthCheck check) {
    net::Descriptor socket(co_await asio::this_coro::executor, fd.release());
    const net::Deadline deadline(socket.get_executor(), check.timeout, [&socket] { socket.cancel(); });
    const wire::HttpRequest request{
        "GET",
        check.path,
        {{{"Host", std::move(host)}, {"User-Agent", "tunnel-client"}, {"Connection", "close"}}}};
    const auto text = wire::to_text(request);
    const auto sent = co_await net::write_all(socket, view_of(text));
    if (!sent) co_return fail(Errc::io, "GET {} was not taken: {}", check.path, sent.error().message);
    Bytes head;
    Bytes piece(4096);
    std::optional<std::size_t> size;
    while (!size) {
        const auto n = co_await net::read_some(socket, piece);
        if (!n && deadline.expired())
            co_return fail(Errc::timeout, "GET {} was not answered within {}", check.path,
                           format_duration(check.timeout));
        if (!n) co_return fail(Errc::io, "GET {} was not answered: {}", check.path, n.error().message);
        append(head, BytesView(piece).first(*n));
        const auto found = wire::http_head_size(head);
        if (!found) co_return pass(found.error());
        size = *found;
    }
    const auto response = wire::parse_http_response(BytesView(head).first(*size));
    if (!response) co_return fail(Errc::protocol, "GET {} was not answered in HTTP/1", check.path);
    if (expected(check, response->status)) co_return Status();
    co_return fail(Errc::protocol, "GET {} was answered with status {}, {} is expected", check.path,
                   response->status, expected_text(check));
}

HealthChecks::HealthChecks(net::TaskGroup& tasks, Dial dial, OnChange on_change)
    : tasks_(tasks), dial_(std::move(dial)), on_change_(std::move(on_change)) {}

void HealthChecks::set(std::map<CheckedService, HealthCheck> checks) {
    for (auto at = running_.begin(); at != running_.end();) {
        const auto wanted = checks.find(at->first);
        if (wanted != checks.end() && wanted->second == at->second->check) {
            checks.erase(wanted);
            ++at;
            continue;
        }
        at->second->stopped = true;
        at->second->pause.cancel();
        at = running_.erase(at);
    }
    for (auto& [service, check] : checks) {
        if (check.kind == HealthCheck::Kind::none) continue;
        const auto running = std::make_shared<Running>(tasks_.executor(), service, check);
        running_.emplace(service, running);
        tasks_.spawn(run(running));
    }
}

void HealthChecks::tell_all() const {
    for (const auto& [service, running] : running_) {
        if (running->known) on_change_(service, running->up, running->reason);
    }
}

// Only touches this object while the check is one of its own.
net::awaitable<void> HealthChecks::run(std::shared_ptr<Running> running) {
    while (!running->stopped) {
        const auto result = co_await check_once(*running);
        if (running->stopped) co_return;
        const auto changed = running->tracker.note(result.has_value());
        running->reason = result ? std::string() : result.error().message;
        if (changed) {
            running->known = true;
            running->up = *changed;
            on_change_(running->service, running->up, running->reason);
        }
        running->pause.expires_after(running->check.interval);
        const auto [error] = co_await running->pause.async_wait(net::use_result);
        if (error) co_return;
    }
}

net::awaitable<Status> HealthChecks::check_once(const Running& running) {
    auto service = running.service;
    auto check = running.check;
    auto fd = co_await dial_(service, check.timeout);
    if (!fd) co_return pass(std::move(fd.error()));
    if (check.proxy_protocol) {
        if (auto told = send_proxy_header(fd->get(), *check.proxy_protocol); !told) co_return told;
    }
    if (check.kind == HealthCheck::Kind::tcp) co_return Status();
    auto host = host_of(service.service);
    auto answered = co_await check_http(std::move(*fd), std::move(host), std::move(check));
    co_return answered;
}

}  // namespace tunnel::client
