#include "common/net/relay/relay.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/net/socket.hpp"

namespace tunnel::net {

std::string_view to_string(RelayEnd end) {
    switch (end) {
        case RelayEnd::finished:
            return "finished";
        case RelayEnd::outer_failed:
            return "outer_failed";
        case RelayEnd::data_failed:
            return "data_failed";
        case RelayEnd::truncated:
            return "truncated";
        case RelayEnd::tampered:
            return "tampered";
        case RelayEnd::key_used_up:
            return "key_used_up";
        case RelayEnd::refused:
            return "refused";
        case RelayEnd::no_answer:
            return "no_answer";
        case RelayEnd::unanswered:
            return "unanswered";
        case RelayEnd::dead_peer:
            return "dead_peer";
        case RelayEnd::idle:
            return "idle";
        case RelayEnd::lifetime:
            return "lifetime";
        case RelayEnd::closed:
            return "closed";
        case RelayEnd::drained:
            return "drained";
    }
    return "closed";
}

Relay::Relay(RelayResources resources, UniqueFd outer, UniqueFd data, std::optional<RecordLayers> records)
    : resources_(resources),
      outer_(*this, Side::outer, std::move(outer)),
      data_(*this, Side::data, std::move(data)),
      records_(std::move(records)) {
    if (!records_) return;
    outward_in_.way = Direction::Way::seal;
    data_in_.way = Direction::Way::open;
}

void Relay::set_bandwidths(Limiter limiter, std::shared_ptr<Bandwidth> from_outer,
                           std::shared_ptr<Bandwidth> to_outer) {
    set_bandwidth(outward_in_, limiter, std::move(from_outer));
    set_bandwidth(data_in_, limiter, std::move(to_outer));
}

void Relay::set_bandwidth(Direction& direction, Limiter limiter, std::shared_ptr<Bandwidth> bandwidth) {
    Throttle::Bandwidths all;
    if (direction.throttle) all = direction.throttle->bandwidths();
    auto& own = all[static_cast<std::size_t>(limiter)];
    if (own == bandwidth) return;
    own = std::move(bandwidth);
    direction.throttle.reset();
    if (all[0] || all[1]) {
        direction.throttle = std::make_unique<Throttle>(resources_.bandwidth, std::move(all));
        direction.throttle->on_turn([this, &direction] {
            if (!completing_) pump(direction);
        });
    }
    // It may have waited for a turn that does not come any more.
    if (direction.readable && !completing_) resources_.events.again(source(direction));
}

void Relay::start(std::unique_ptr<RelayPrologue> prologue, Done done, const RelayBeginning& beginning) {
    started_ = Clock::now();
    done_ = std::move(done);
    prologue_ = std::move(prologue);
    data_in_.held = prologue_ != nullptr;
    if (prologue_ != nullptr && prologue_->may_move())
        taken_ = std::make_unique<Bytes>(beginning.taken.begin(), beginning.taken.end());
    data_.watched = beginning.data_is_watched;
    data_.hung_up = beginning.data_hung_up;
    if (failure_) {  // aborted before
        if (std::exchange(data_.watched, false)) resources_.events.remove(data_.fd.get());
        return complete();
    }
    if (!watch(data_)) return;
    // What the outer socket has to say already is read before it is watched, so that nobody is told of it.
    if (!beginning.opening_may_wait && !beginning.opening.empty())
        send_opening(beginning.opening, beginning.taken);
    if (completing_ || !watch(outer_)) return;
    if (beginning.opening_may_wait) {
        opening_.assign(beginning.opening.begin(), beginning.opening.end());
        resources_.openings.add(*this);
    }
    if (data_in_.held) return;
    // What came with the stream's head is told by no event.
    data_in_.readable = beginning.data_may_have_more;
    take_begun(beginning.begun);
    if (!completing_) pump(data_in_);
}

void Relay::flush_opening() {
    if (opening_.empty() || completing_) return;
    resources_.openings.remove(*this);
    send_opening(opening_, {});
    opening_ = {};
}

bool Relay::watch(Socket& socket) {
    auto& events = resources_.events;
    const int fd = socket.fd.get();
    if (socket.watched) {
        events.hand_over(fd, socket);
    } else if (const int error = events.add(fd, socket, EventSet::Interest::reading); error != 0) {
        return fail_at(socket, error);
    }
    socket.watched = true;
    return true;
}

void Relay::wait_for_room(Direction& direction) {
    direction.stuck = true;
    resources_.events.tell_writable(target(direction).fd.get());
}

void Relay::on_events(Socket& socket, std::uint32_t events) {
    const bool broken = (events & EPOLLERR) != 0;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) socket.hung_up = true;
    socket.told_late = completing_;
    if (completing_) return;
    auto& incoming = from(socket);
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        incoming.readable = true;
        if (incoming.held && socket.side == Side::data) run_prologue();
        if (!completing_ && !incoming.stuck && !incoming.held) pump(incoming);
    }
    if (completing_) return;
    // Reading tells of a reset, and first of the bytes before it. Where nothing is read now, it is told here.
    if (broken && (incoming.stuck || incoming.source_ended || incoming.held || taken_)) {
        // First the error: reading would take it, too.
        const int error = take_error(socket.fd.get());
        const bool needed = socket.side == Side::outer || !other_end_is_done();
        if (error != 0 && needed) {
            fail_at(socket, error);
            return;
        }
    }
    if ((events & EPOLLOUT) != 0 && into(socket).stuck) pump(into(socket));
}

void Relay::run_prologue() {
    switch (prologue_->read(data_.fd.get())) {
        case RelayPrologue::Step::incomplete:
            data_in_.readable = false;
            return;
        case RelayPrologue::Step::done: {
            data_in_.held = false;
            const auto prologue = std::move(prologue_);
            if (prologue->emptied() && !data_.hung_up) data_in_.readable = false;
            settle();
            if (!completing_) take_begun(prologue->rest());
            return;
        }
        case RelayPrologue::Step::refused: {
            auto refusal = prologue_->refusal();
            fail(refusal.end, std::move(refusal.detail));
            return;
        }
    }
}

// The data connection is the right one, and the other direction goes on.
void Relay::settle() {
    if (!taken_) return;
    // There is more where the reading stopped, or an end; all else is told.
    if (outer_.hung_up || has_taken_most()) outward_in_.readable = true;
    taken_.reset();
    if (outward_in_.readable && !outward_in_.stuck) pump(outward_in_);
}

void Relay::abort(RelayEnd reason, std::string detail) {
    fail(reason, std::move(detail));
}

bool Relay::fail(RelayEnd end, std::string detail) {
    // The first failure is the reason; what follows from it is noise.
    if (completing_) return false;
    if (!failure_) failure_ = std::make_unique<RelayRefusal>(RelayRefusal{end, std::move(detail)});
    complete();
    return false;
}

bool Relay::fail_at(const Socket& socket, int error) {
    auto end = socket.side == Side::outer ? RelayEnd::outer_failed : RelayEnd::data_failed;
    // Whichever direction finds it first.
    if (taken_ && socket.side == Side::data) end = RelayEnd::unanswered;
    return fail(end, std::generic_category().message(error));
}

void Relay::finish(Direction& direction) {
    if (!direction.ended && kernel_seals(direction) && !end_sealing(direction)) return;
    const bool ended_before = std::exchange(direction.ended, true);
    if (outward_in_.ended && data_in_.ended) {
        say_again();
        if (!outward_in_.stuck) complete();  // closing says the second end
        return;
    }
    // Records have said it, with close_notify, or a chunk. TCP's own word would end both directions where a
    // proxy on the way knows no half-close.
    const bool said = &direction == &outward_in_ && (records_ || in_chunks(direction));
    if (!said && !ended_before) shut_down(target(direction).fd.get(), Half::write);
}

void Relay::complete() {
    if (!done_ || std::exchange(completing_, true)) return;
    if (!opening_.empty()) {
        // Whatever has become of the rest, the other end is to know that the stream was opened.
        resources_.openings.remove(*this);
        (void)::send(data_.fd.get(), opening_.data(), opening_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    // Events may still be on their way to the sockets' handlers.
    resources_.events.after_events([this] {
        RelayResult result;
        result.sealed_by_kernel = kernel_seals(outward_in_);
        result.opened_by_kernel = kernel_opens(data_in_);
        if (can_be_used_again()) {
            result.data.emplace(resources_.events, std::move(data_.fd));
            result.after_stream = std::move(reuse_->after_stream);
            result.may_have_more = data_in_.readable || data_.told_late;
            result.hung_up = data_.hung_up;
        }
        close();
        if (failure_) {
            result.end = failure_->end;
            result.detail = std::move(failure_->detail);
        }
        result.from_outer = from_outer();
        result.to_outer = to_outer();
        if (result.end == RelayEnd::unanswered) {
            result.outer = std::move(outer_.fd);
            if (taken_) result.taken = std::move(*taken_);
        }
        result.duration = std::chrono::duration_cast<Millis>(Clock::now() - started_);
        const auto done = std::move(done_);
        done(std::move(result));
    });
}

void Relay::close() {
    prologue_.reset();
    kernel_.reset();
    for (auto* direction : {&outward_in_, &data_in_}) {
        if (direction->pipe) resources_.pipes.give_back(std::move(*direction->pipe));
        direction->pipe.reset();
        direction->throttle.reset();
    }
    for (auto* socket : {&outer_, &data_}) {
        if (!socket->fd) continue;
        const bool kept = socket == &outer_ && failure_ && failure_->end == RelayEnd::unanswered;
        const bool watched = std::exchange(socket->watched, false);
        if (kept && watched) resources_.events.remove(socket->fd.get());
        if (kept) continue;
        if (watched) resources_.events.forget(socket->fd.get());
        if (!failure_) set_reset_on_close(socket->fd.get(), false);
        socket->fd.reset();
    }
}

}  // namespace tunnel::net
