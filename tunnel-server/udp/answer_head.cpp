#include "tunnel-server/udp/answer_head.hpp"

#include <algorithm>

#include "common/wire/stream_head.hpp"

namespace tunnel::server {

Result<bool> AnswerHead::take(BytesView& bytes) {
    const auto take_up_to = [&](std::size_t size) {
        const auto part = bytes.first(std::min(size - std::min(size, record_.size()), bytes.size()));
        append(record_, part);
        bytes = bytes.subspan(part.size());
        return record_.size() >= size;
    };
    if (!take_up_to(tls::record_header_size)) return false;
    const auto size = tls::RecordOpener::record_size(BytesView(record_).first(tls::record_header_size));
    if (!size) return pass(size.error());
    if (!take_up_to(*size)) return false;
    Bytes plain(record_.size());
    const auto opened = opener_.open(record_, plain);
    if (!opened) return pass(opened.error());
    auto answer = wire::decode_stream_answer(BytesView(plain).first(opened->size));
    if (!answer) return pass(std::move(answer.error()));
    if (answer->code != wire::StreamAnswer::Code::ready) return fail(Errc::not_allowed, "{}", answer->reason);
    return true;
}

}  // namespace tunnel::server
