#include "tunnel-server/sessions/ticket_registry.hpp"

namespace tunnel::server {

wire::Dial SessionTickets::issue(std::uint32_t count, TimePoint now) {
    const std::lock_guard lock(mutex_);
    return book_.issue(count, now);
}

Result<Secret> SessionTickets::redeem(const wire::Preface& preface, const wire::PrefaceBytes& bytes,
                                      TimePoint now) {
    const std::lock_guard lock(mutex_);
    return book_.redeem(preface, bytes, now);
}

bool SessionTickets::cancel(TicketNumber number) {
    const std::lock_guard lock(mutex_);
    return book_.cancel(number);
}

std::size_t SessionTickets::drop_expired(TimePoint now) {
    const std::lock_guard lock(mutex_);
    return book_.drop_expired(now);
}

void TicketRegistry::add(SessionId session, std::shared_ptr<SessionTickets> tickets) {
    const std::lock_guard lock(mutex_);
    sessions_.insert_or_assign(session, std::move(tickets));
}

void TicketRegistry::remove(SessionId session) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session);
}

std::shared_ptr<SessionTickets> TicketRegistry::find(SessionId session) const {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    return found == sessions_.end() ? nullptr : found->second;
}

}  // namespace tunnel::server
