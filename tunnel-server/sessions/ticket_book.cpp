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
    if (!is_signed(found->second.key, bytes))
        return fail(Errc::unauthenticated, "the MAC over ticket {} is wrong", preface.ticket.value);
    auto key = std::move(found->second.key);
    out_.erase(found);
    return key;
}

bool TicketBook::is_signed(const Secret& key, const wire::PrefaceBytes& preface) {
    const BytesView all(preface);
    return tls::check_preface_mac(key, all.first(wire::preface_signed_size),
                                  all.subspan(wire::preface_signed_size));
}

std::size_t TicketBook::drop_expired(TimePoint now) {
    return std::erase_if(out_, [now](const auto& entry) { return entry.second.expires <= now; });
}

}  // namespace tunnel::server
