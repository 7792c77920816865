// The ServerHello as it is read off a TLS handshake: any bytes, any chunking.
#include "common/tls/server_hello.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const auto plan = input.take(1 + input.byte() % 8);
    const auto stream = input.take_rest();
    tls::ServerHelloWatch whole(tls::extended_master_secret_extension);
    whole.feed(stream);
    tls::ServerHelloWatch pieces(tls::extended_master_secret_extension);
    fuzz::in_pieces(stream, plan, [&](BytesView piece) {
        pieces.feed(piece);
        return true;
    });
    fuzz::require(whole.verdict() == pieces.verdict(), "chunking does not change the verdict");
    fuzz::require(tls::server_hello_extension(stream, tls::extended_master_secret_extension) !=
                      tls::HelloVerdict::pending,
                  "a message has a verdict");
    return 0;
}
