#include "tests/unit/common/net/meddler.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/net/socket.hpp"
#include "common/net/stream_io.hpp"
#include "common/tls/record.hpp"

namespace tunnel::net::test {

using asio::experimental::awaitable_operators::operator&&;

std::string_view to_string(Mischief mischief) {
    constexpr std::array<std::string_view, 11> names{"none",     "flip_bit", "drop",      "duplicate",
                                                     "swap",     "replay",   "shorten",   "bad_length",
                                                     "bad_type", "cut",      "cut_before"};
    return names.at(static_cast<std::size_t>(mischief));
}

Bytes RecordEditor::edit(BytesView bytes) {
    append(buffer_, bytes);
    Bytes out;
    while (!has_cut_ && buffer_.size() >= tls::record_header_size) {
        const std::size_t size = tls::record_header_size + get_be16(BytesView(buffer_).subspan(3, 2));
        if (buffer_.size() < size) break;
        const auto end = buffer_.begin() + static_cast<std::ptrdiff_t>(size);
        Bytes record(buffer_.begin(), end);
        buffer_.erase(buffer_.begin(), end);
        if (number_ == 0) first_ = record;
        const bool spoilt = number_++ == target_ && mischief_ != Mischief::none;
        append(out, spoilt ? spoil(std::move(record)) : record);
        if (!spoilt && held_) append(out, *std::exchange(held_, std::nullopt));
    }
    return out;
}

Bytes RecordEditor::spoil(Bytes record) {
    done_ = true;
    switch (mischief_) {
        case Mischief::none:
            return record;
        case Mischief::flip_bit: {
            // Not the length, which would only move where records seem to end.
            std::size_t place = random_() % (record.size() - 2);
            if (place >= 3) place += 2;
            record[place] = static_cast<Byte>(record[place] ^ (1u << (random_() % 8)));
            return record;
        }
        case Mischief::drop:
            return {};
        case Mischief::duplicate: {
            const Bytes copy = record;
            append(record, copy);
            return record;
        }
        case Mischief::swap:
            held_ = std::move(record);
            return {};
        case Mischief::replay:
            return first_;
        case Mischief::shorten:
            record.pop_back();
            put_be16(MutableBytes(record).subspan(3, 2),
                     static_cast<std::uint16_t>(record.size() - tls::record_header_size));
            return record;
        case Mischief::bad_length:
            put_be16(MutableBytes(record).subspan(3, 2), 0xffff);
            return record;
        case Mischief::bad_type:
            record[0] = 22;
            return record;
        case Mischief::cut:
            has_cut_ = true;
            record.resize(1 + random_() % (record.size() - 1));
            return record;
        case Mischief::cut_before:
            has_cut_ = true;
            return {};
    }
    return record;
}

Meddler::Meddler(const asio::any_io_executor& executor, UniqueFd source, UniqueFd target, RecordEditor editor)
    : source_(executor, source.release()), target_(executor, target.release()), editor_(std::move(editor)) {}

awaitable<void> Meddler::run() {
    co_await (pump(edited) && pump(untouched));
}

void Meddler::reset_both() {
    if (broken_) return;
    broken_ = true;
    for (auto* end : {&source_, &target_}) {
        set_reset_on_close(end->native_handle(), true);
        end->close();
    }
}

awaitable<void> Meddler::pump(Way way) {
    auto& from = way == edited ? source_ : target_;
    auto& to = way == edited ? target_ : source_;
    Bytes buffer(65536);
    while (!broken_) {
        const auto n = co_await read_some(from, buffer);
        if (broken_) co_return;
        if (!n && n.error().code == Errc::closed) {
            shut_down(to.native_handle(), Half::write);
            co_return;
        }
        if (!n) {
            reset_both();
            co_return;
        }
        const bool had_cut = editor_.has_cut();
        const auto bytes = BytesView(buffer).first(*n);
        const Bytes out = way == edited ? editor_.edit(bytes) : Bytes(bytes.begin(), bytes.end());
        if (way == edited && had_cut) continue;
        const bool passed = co_await pass_on(to, out);
        if (!passed) co_return;
        if (way == edited && editor_.has_cut()) shut_down(to.native_handle(), Half::write);
    }
}

awaitable<bool> Meddler::pass_on(Descriptor& to, BytesView bytes) {
    const auto ok = co_await write_all(to, bytes);
    if (!ok) reset_both();
    co_return !broken_;
}

}  // namespace tunnel::net::test
