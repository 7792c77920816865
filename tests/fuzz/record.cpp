// The records of an encrypted data connection: raw bytes, and genuine records that were tampered with.
#include "common/tls/record.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

struct Opened {
    Bytes data;
    bool closed = false;
    bool failed = false;
};

// As a driver does it: the header, the record, until the stream ends.
Opened open_all(tls::RecordOpener& opener, BytesView stream) {
    Opened out;
    while (stream.size() >= tls::record_header_size) {
        const auto size = tls::RecordOpener::record_size(stream.first(tls::record_header_size));
        if (size) {
            fuzz::require(*size >= tls::least_record_overhead && *size <= tls::max_record_size,
                          "a record's size is bounded");
            if (stream.size() < *size) return out;
        }
        const auto record = stream.first(size ? *size : stream.size());
        Bytes plaintext(record.size());
        const auto opened = opener.open(record, plaintext);
        if (!opened) {
            fuzz::require(!opener.open(record, plaintext), "a failure is final");
            out.failed = true;
            return out;
        }
        fuzz::require(size.has_value() && !out.closed, "nothing opens after the end");
        append(out.data, BytesView(plaintext).first(opened->size));
        out.closed = opened->closed;
        stream = stream.subspan(*size);
    }
    return out;
}

tls::DirectionKeys some_keys(Cipher cipher) {
    return {cipher, Bytes(tls::aead_key_size(cipher) + tls::iv_size(cipher), 0x11)};
}

// What the sealed bytes were, and where each record begins.
struct Sealed {
    Bytes stream;
    Bytes data;
    bool closed = false;
};

Sealed seal_script(fuzz::FuzzInput& input, const tls::AeadFactory& factory, Cipher cipher) {
    tls::RecordSealer sealer(factory, some_keys(cipher));
    Sealed out;
    for (unsigned records = input.byte() % 4; records > 0; --records) {
        const Bytes plaintext(std::size_t{input.byte()} * (records == 1 ? 1 : 20), input.byte());
        Bytes record(tls::sealed_size(plaintext.size()));
        const auto size = sealer.seal_many(plaintext, record);
        fuzz::require(size && *size <= record.size(), "data of any size is sealed");
        record.resize(*size);
        append(out.stream, record);
        append(out.data, plaintext);
    }
    if (input.byte() % 2 == 1) {
        Bytes record(tls::RecordSealer::close_notify_size);
        const auto size = sealer.close_notify(record);
        fuzz::require(size.has_value(), "a direction ends once");
        record.resize(*size);
        append(out.stream, record);
        out.closed = true;
    }
    return out;
}

void check_tampering(fuzz::FuzzInput& input, const tls::AeadFactory& factory, Cipher cipher) {
    const Sealed sealed = seal_script(input, factory, cipher);
    Bytes stream = sealed.stream;
    std::size_t first_change = stream.size();
    while (!input.empty() && !stream.empty()) {
        const std::size_t at = (std::size_t{input.byte()} * 256 + input.byte()) % stream.size();
        stream[at] = static_cast<Byte>(stream[at] ^ input.byte());
    }
    const auto differ = std::mismatch(stream.begin(), stream.end(), sealed.stream.begin()).first;
    first_change = static_cast<std::size_t>(differ - stream.begin());

    tls::RecordOpener opener(factory, some_keys(cipher));
    const auto opened = open_all(opener, stream);
    const bool intact = first_change == stream.size();
    fuzz::require(opened.data.size() <= sealed.data.size() &&
                      std::equal(opened.data.begin(), opened.data.end(), sealed.data.begin()),
                  "what opens is a beginning of what was sealed");
    fuzz::require(!intact || (!opened.failed && opened.data == sealed.data && opened.closed == sealed.closed),
                  "what nobody touched opens whole");
    fuzz::require(intact || !opened.closed, "an altered stream never ends in order");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto factory = tls::AeadFactory::best();
    fuzz::FuzzInput input(data, size);
    const auto way = input.byte();
    const auto cipher = way % 4 < 2 ? Cipher::aes_128_gcm : Cipher::chacha20_poly1305;
    if (way % 2 == 0) {
        tls::RecordOpener opener(factory, some_keys(cipher));
        (void)open_all(opener, input.take_rest());
    } else {
        check_tampering(input, factory, cipher);
    }
    return 0;
}
