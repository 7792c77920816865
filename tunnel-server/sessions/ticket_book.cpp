#include "tunnel-server/sessions/ticket_book.hpp"

namespace tunnel::server {

wire::Dial TicketBook::issue(std::uint32_t count, TimePoint now) {
    wire::Dial dial{{}, count};
    for (std::uint32_t i = 0; i < count; ++i) {
        auto ticket = chain_.next();
        if (i == 0) dial.first_ticket = ticket.number;
        out_.emplace(ticket.number, Out{std::move(ticket.key), now + lifetime});
    }
    return dial;
}

Result<Secret> TicketBook::redeem(const wire::Preface& preface, const wire::PrefaceBytes& bytes,
                                  TimePoint now) {
    const auto found = out_.find(preface.ticket);
    if (found == out_.end() || found->second.expires <= now)
        return fail(Errc::not_allowed,
                    "ticket {} is not out: it was used before, it expired, or it was never issued",
                    preface.ticket.value);
    const BytesView all(bytes);
    if (!tls::check_preface_mac(found->second.key, all.first(wire::preface_signed_size),
                                all.subspan(wire::preface_signed_size)))
        return fail(Errc::unauthenticated, "the MAC over ticket {} is wrong", preface.ticket.value);
    auto key = std::move(found->second.key);
    out_.erase(found);
    return key;
}

std::size_t TicketBook::drop_expired(TimePoint now) {
    return std::erase_if(out_, [now](const auto& entry) { return entry.second.expires <= now; });
}

}  // namespace tunnel::server
