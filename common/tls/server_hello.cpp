#include "common/tls/server_hello.hpp"

#include <algorithm>
#include <optional>

namespace tunnel::tls {

namespace {

constexpr std::size_t header_size = 5;
constexpr std::size_t max_plain_fragment = 16384;  // RFC 5246 section 6.2.1
constexpr Byte alert_record = 21;
constexpr Byte handshake_record = 22;
constexpr Byte server_hello_message = 2;

// Takes fields off the front; every take is checked against what is left.
class Reader {
  public:
    explicit Reader(BytesView bytes) : left_(bytes) {}
    std::optional<BytesView> take(std::size_t size) {
        if (size > left_.size()) return std::nullopt;
        const BytesView taken = left_.first(size);
        left_ = left_.subspan(size);
        return taken;
    }
    // A big-endian length of 1 to 3 bytes, then that many bytes.
    std::optional<BytesView> take_vector(std::size_t length_size) {
        const auto length_bytes = take(length_size);
        if (!length_bytes) return std::nullopt;
        std::size_t length = 0;
        for (const Byte byte : *length_bytes) length = length << 8 | byte;
        return take(length);
    }
    bool empty() const { return left_.empty(); }

  private:
    BytesView left_;
};

HelloVerdict find_extension(BytesView extensions, std::uint16_t wanted) {
    Reader reader(extensions);
    HelloVerdict verdict = HelloVerdict::absent;
    while (!reader.empty()) {
        const auto type = reader.take(2);
        const auto body = reader.take_vector(2);
        if (!type || !body) return HelloVerdict::unreadable;
        if (get_be16(*type) == wanted) verdict = HelloVerdict::confirmed;
    }
    return verdict;
}

}  // namespace

HelloVerdict server_hello_extension(BytesView message, std::uint16_t extension) {
    Reader outer(message);
    const auto type = outer.take(1);
    if (!type || type->front() != server_hello_message) return HelloVerdict::unreadable;
    const auto body = outer.take_vector(3);
    if (!body) return HelloVerdict::unreadable;
    Reader hello(*body);
    const bool fixed_part = hello.take(2) && hello.take(32) &&        // version, random
                            hello.take_vector(1) && hello.take(2) &&  // session id, cipher suite
                            hello.take(1);                            // compression method
    if (!fixed_part) return HelloVerdict::unreadable;
    if (hello.empty()) return HelloVerdict::absent;
    const auto extensions = hello.take_vector(2);
    if (!extensions || !hello.empty()) return HelloVerdict::unreadable;
    return find_extension(*extensions, extension);
}

void ServerHelloWatch::feed(BytesView from_server) {
    while (verdict_ == HelloVerdict::pending && !from_server.empty()) {
        std::size_t wanted = header_size;
        if (record_.size() >= header_size) wanted += get_be16(BytesView(record_).subspan(3, 2));
        const std::size_t taken = std::min(wanted - record_.size(), from_server.size());
        append(record_, from_server.first(taken));
        from_server = from_server.subspan(taken);
        look();
    }
    if (verdict_ != HelloVerdict::pending) Bytes().swap(record_);
}

void ServerHelloWatch::look() {
    if (record_.size() < header_size) return;
    const std::size_t length = get_be16(BytesView(record_).subspan(3, 2));
    const bool expected_type = record_[0] == handshake_record || record_[0] == alert_record;
    if (!expected_type || length == 0 || length > max_plain_fragment) {
        verdict_ = HelloVerdict::unreadable;
        return;
    }
    if (record_.size() < header_size + length) return;
    if (record_[0] == alert_record) {
        record_.clear();  // a warning may precede the ServerHello
        return;
    }
    verdict_ = server_hello_extension(BytesView(record_).subspan(header_size), extension_);
}

}  // namespace tunnel::tls
