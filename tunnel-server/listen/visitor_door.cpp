#include "tunnel-server/listen/visitor_door.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/net/deadline.hpp"
#include "common/net/socket.hpp"

namespace tunnel::server {

// A PROXY header as it comes. Takes exactly its own bytes: the visitor's stay in the kernel, for splice(2).
class VisitorDoor::Header {
  public:
    enum class Step { blocked, done, bad };
    Step read(int fd) {
        for (;;) {
            const auto n = ::recv(fd, bytes_.data() + have_, bytes_.size() - have_, MSG_PEEK | MSG_DONTWAIT);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Step::blocked;
            if (n <= 0) return fail(n == 0 ? "the connection ended" : "the connection broke");
            const auto seen = have_ + static_cast<std::size_t>(n);
            auto parsed = wire::parse_proxy_header(BytesView(bytes_).first(seen));
            if (!parsed) return fail(std::move(parsed.error().message));
            const auto taken = *parsed ? (*parsed)->size : seen;
            if (::recv(fd, bytes_.data() + have_, taken - have_, MSG_DONTWAIT) !=
                static_cast<ssize_t>(taken - have_))
                return fail("the connection broke");
            have_ = taken;
            if (!*parsed) continue;
            header_ = std::move((*parsed)->header);
            return Step::done;
        }
    }
    wire::ProxyHeader& header() { return header_; }
    const std::string& problem() const { return problem_; }

  private:
    Step fail(std::string problem) {
        problem_ = std::move(problem);
        return Step::bad;
    }
    Bytes bytes_ = Bytes(wire::max_proxy_header + 1);
    std::size_t have_ = 0;
    wire::ProxyHeader header_;
    std::string problem_;
};

namespace {

net::tcp::endpoint endpoint_of(const wire::ProxyEnd& end) {
    const auto endpoint = net::to_endpoint({tunnel::to_string(end.address), end.port});
    return endpoint ? *endpoint : net::tcp::endpoint();
}

bool comes_from_proxy(const Route& route, const net::Accepted& accepted) {
    if (route.options.accept_proxy_from_unix) return true;
    return route.proxies && route.proxies->longest_match(net::to_ip(accepted.peer.address())).has_value();
}

}  // namespace

void VisitorDoor::refuse(const Route& route, const Visitor& visitor, Refusal why,
                         std::string_view detail) const {
    route.counters->refusals.add(why);
    route.counters->refused_total += 1;
    log_.debug("visitor refused", {{"mapping", route.mapping.name},
                                   {"client", route.mapping.client},
                                   {"visitor", to_text(visitor)},
                                   {"reason", to_string(why)},
                                   {"detail", detail}});
}

void VisitorDoor::admit(net::Worker& worker, std::shared_ptr<const Route> route, Visitor visitor) {
    auto admitted = server::admit(route, visitor);
    if (!admitted) {
        const auto why = admitted.error();
        refuse(*route, visitor, why,
               why == Refusal::drained ? "every member is drained: tunnelctl mapping undrain" : "");
        return refuse_visitor(std::move(visitor));
    }
    visitor.place = std::move(admitted->place);
    next_(worker, std::move(admitted->route), std::move(visitor));
}

void VisitorDoor::take(net::Worker& worker, std::shared_ptr<const Route> route, Visitor visitor,
                       Header& read) {
    auto& header = read.header();
    if (header.family == wire::ProxyFamily::ip) {
        visitor.peer = endpoint_of(header.source);
        visitor.announced =
            std::make_unique<Announced>(Announced{endpoint_of(header.destination), std::move(header.tlvs)});
    }
    admit(worker, std::move(route), std::move(visitor));
}

void VisitorDoor::enter(net::Worker& worker, std::shared_ptr<const Route> route, net::Accepted accepted) {
    const bool proxied = comes_from_proxy(*route, accepted);
    Visitor visitor{std::move(accepted.fd), std::move(accepted.peer)};
    if (!proxied) return admit(worker, std::move(route), std::move(visitor));
    if (without_header_.fetch_add(1) >= most_without_header) {
        without_header_ -= 1;
        refuse(*route, visitor, Refusal::proxy_too_many);
        return refuse_visitor(std::move(visitor));
    }
    auto header = std::make_unique<Header>();
    worker.tasks().spawn(wait_for_header(worker, std::move(route), std::move(visitor), std::move(header)));
}

net::awaitable<void> VisitorDoor::wait_for_header(net::Worker& worker, std::shared_ptr<const Route> route,
                                                  Visitor visitor, std::unique_ptr<Header> header) {
    struct Leave {
        std::atomic<unsigned>& count;
        ~Leave() { count -= 1; }
    } leave{without_header_};
    net::Descriptor socket(worker.executor(), visitor.fd.release());
    bool late = false;
    auto step = header->read(socket.native_handle());
    if (step == Header::Step::blocked) {
        const net::Deadline deadline(worker.executor(), header_limit, [&socket] { socket.cancel(); });
        while (step == Header::Step::blocked && !late) {
            const auto [error] = co_await socket.async_wait(net::Descriptor::wait_read, net::use_result);
            late = static_cast<bool>(error);
            if (!late) step = header->read(socket.native_handle());
        }
    }
    visitor.fd = net::UniqueFd(socket.release());
    if (step == Header::Step::done) {
        take(worker, std::move(route), std::move(visitor), *header);
        co_return;
    }
    if (late)
        refuse(*route, visitor, Refusal::proxy_timeout);
    else
        refuse(*route, visitor, Refusal::proxy_header, header->problem());
    refuse_visitor(std::move(visitor));
}

}  // namespace tunnel::server
