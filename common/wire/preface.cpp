#include "common/wire/preface.hpp"

#include <algorithm>

namespace tunnel::wire {

namespace {
constexpr std::string_view magic = "TNLD";
constexpr Byte version = 1;
constexpr Byte needs_records = 1;
}  // namespace

std::array<Byte, preface_signed_size> encode_preface(const Preface& preface) {
    std::array<Byte, preface_signed_size> out{};
    const MutableBytes bytes(out);
    std::copy(magic.begin(), magic.end(), out.begin());
    out[4] = version;
    out[5] = preface.needs_records ? needs_records : 0;
    put_be64(bytes.subspan(8, 8), preface.session.value);
    put_be64(bytes.subspan(16, 8), preface.ticket.value);
    std::copy(preface.nonce.begin(), preface.nonce.end(), out.begin() + 24);
    return out;
}

Result<Preface> decode_preface(const PrefaceBytes& bytes) {
    const BytesView view(bytes);
    if (text_of(view.first(4)) != magic)
        return fail(Errc::protocol, "the connection does not begin as a data connection does");
    if (view[4] != version)
        return fail(Errc::version,
                    "the data connection has preface version {}, this server knows version {}: upgrade {}",
                    view[4], version, view[4] > version ? "tunnel-server" : "tunnel-client");
    if ((view[5] & ~needs_records) != 0 || view[6] != 0 || view[7] != 0)
        return fail(Errc::protocol, "the preface of a data connection has reserved bytes set");
    Preface preface{SessionId{get_be64(view.subspan(8, 8))},
                    TicketNumber{get_be64(view.subspan(16, 8))},
                    {},
                    (view[5] & needs_records) != 0};
    std::copy_n(view.begin() + 24, nonce_size, preface.nonce.begin());
    return preface;
}

}  // namespace tunnel::wire
